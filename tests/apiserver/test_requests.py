"""Requests over HTTPS: who one is, what goes in, what comes out."""

from __future__ import annotations

import gzip
import http.client
import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from cluster.tokens import LEGACY_CLAIM, LEGACY_ISSUER, Signer
from tests.apiserver.standalone import Server

SCALED = "/apis/apps/v1/namespaces/work/deployments/odd"
CONFIGS = "/api/v1/namespaces/work/configmaps"


def test_anonymous_reads_health_and_version_only(server: Server) -> None:
    assert server.request("GET", "/healthz", Authorization="")[0] == 200
    assert server.request("GET", "/version", Authorization="")[1]["gitVersion"] == "v1.36.3"
    status, body = server.request("GET", "/api/v1/namespaces", Authorization="")
    assert status == 403 and 'User "system:anonymous" cannot list resource "namespaces"' in body["message"]


def test_a_wrong_token_is_unauthorized(server: Server) -> None:
    assert server.request("GET", "/api", Authorization="Bearer wrong")[0] == 401


def test_a_client_certificate_names_user_and_groups(server: Server) -> None:
    context = ssl.create_default_context(cafile=server.ca)
    pki = Path(server.ca).parent
    context.load_cert_chain(pki / "apiserver-kubelet-client.crt", pki / "apiserver-kubelet-client.key")
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=60)
    connection.request(
        "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", b"{}", {"Content-Type": "application/json"}
    )
    info = json.loads(connection.getresponse().read())["status"]["userInfo"]
    connection.close()
    assert info["username"] == "kube-apiserver-kubelet-client"
    assert info["groups"] == ["system:masters", "system:authenticated"]


def test_an_administrators_rules_are_those_of_the_binding_once(server: Server) -> None:
    _, review = server.request(
        "POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {"namespace": "work"}}
    )
    everything = [rule for rule in review["status"]["nonResourceRules"] if rule["nonResourceURLs"] == ["*"]]
    resources = [rule for rule in review["status"]["resourceRules"] if rule["resources"] == ["*"]]
    assert everything == [{"verbs": ["*"], "nonResourceURLs": ["*"]}]
    assert resources == [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]


def test_a_bound_token_dies_with_its_pod(server: Server) -> None:
    pod = {"metadata": {"name": "bound"}, "spec": {"containers": [{"name": "c", "image": "host"}]}}
    server.request("POST", "/api/v1/namespaces/work/pods", pod)
    reference = {"kind": "Pod", "apiVersion": "v1", "name": "bound"}
    _, made = server.request(
        "POST", "/api/v1/namespaces/work/serviceaccounts/default/token", {"spec": {"boundObjectRef": reference}}
    )
    token = f"Bearer {made['status']['token']}"
    review = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    status, body = server.request("POST", review, {}, Authorization=token)
    assert status == 201 and body["status"]["userInfo"]["username"] == "system:serviceaccount:work:default"
    assert server.request("POST", review, {}, Authorization=token[:-4] + "AAAA")[0] == 401
    server.request("DELETE", "/api/v1/namespaces/work/pods/bound")
    assert server.request("POST", review, {}, Authorization=token)[0] == 401


def test_a_token_in_a_secret_is_good_while_the_secret_holds_it(server: Server) -> None:
    _, account = server.request("GET", "/api/v1/namespaces/work/serviceaccounts/default")
    claims = {
        "namespace": "work",
        "secret.name": "key",
        "service-account.name": "default",
        "service-account.uid": account["metadata"]["uid"],
    }
    token = Signer(Path(server.ca).parent / "sa.key").sign(
        {"iss": LEGACY_ISSUER, **{LEGACY_CLAIM + name: value for name, value in claims.items()}}
    )
    secrets, review = "/api/v1/namespaces/work/secrets", "/apis/authentication.k8s.io/v1/selfsubjectreviews"

    def ask() -> tuple[int, Any]:
        return server.request("POST", review, {}, Authorization=f"Bearer {token}")

    assert ask()[0] == 401, "there is no such secret"
    server.request("POST", secrets, {"metadata": {"name": "key"}, "stringData": {"token": token}})
    status, body = ask()
    assert status == 201 and body["status"]["userInfo"]["username"] == "system:serviceaccount:work:default"
    server.request(
        "PATCH", f"{secrets}/key", {"stringData": {"token": "another"}}, Content_Type="application/merge-patch+json"
    )
    assert ask()[0] == 401


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"x", "text/plain", 415),
        (b"\0", "application/vnd.kubernetes.protobuf", 400),
        (b"metadata: {name: [}", "application/yaml", 400),
        (b" " * (3 * 1024 * 1024 + 1), "application/json", 413),
    ],
)
def test_bodies_that_can_not_be_read(server: Server, body: bytes, content_type: str, status: int) -> None:
    answered, found = server.request("POST", CONFIGS, body, Content_Type=content_type)
    assert answered == status and found["kind"] == "Status" and found["code"] == status


def test_yaml_goes_in_and_out(server: Server) -> None:
    status, _ = server.request(
        "POST", CONFIGS, b"metadata:\n  name: from-yaml\ndata:\n  a: b\n", Content_Type="application/yaml"
    )
    assert status == 201
    _, text = server.request("GET", f"{CONFIGS}/from-yaml", Accept="application/yaml")
    assert b"name: from-yaml" in text


DEEP = b'{"a":' * 300 + b"1" + b"}" * 300
JOBS, PODS = "/apis/batch/v1/namespaces/work/jobs", "/api/v1/namespaces/work/pods"
ODD = [
    (CONFIGS, b'{"metadata": "100%", "data": {}}', 400),
    (CONFIGS, b'{"metadata": {"name": "x"}, "odd": ' + DEEP + b"}", 400),
    (CONFIGS, b'{"metadata": {"name": "x", "annotations": ' + DEEP + b"}}", 400),
    (CONFIGS, b'{"metadata": {"name": "x", "generation": 100000000000000000000000000000000}}', 400),
    (JOBS, b'{"spec": {"selector": {}}}', 422),
    (
        JOBS,
        b'{"metadata": {"name": "j"}, "spec": {"selector": {"matchExpressions": [{"key": "a", "operator": "?"}]}}}',
        422,
    ),
    (PODS, b'{"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}], "volumes": [{}]}}', 422),
]


@pytest.mark.parametrize(("path", "body", "status"), ODD)
def test_odd_objects_are_the_clients_fault(server: Server, path: str, body: bytes, status: int) -> None:
    found = server.request("POST", path, body)
    assert found[0] == status, found


@pytest.mark.parametrize("version", [b"1.5", b'{"a": 1}', b"[]", b"true"])
def test_an_apply_of_an_odd_version_is_the_clients_fault(server: Server, version: bytes) -> None:
    body = b'{"apiVersion": %s, "kind": "ConfigMap", "metadata": {"name": "x"}}' % version
    path, kind = f"{CONFIGS}/x?fieldManager=m", "application/apply-patch+yaml"
    status, found = server.request("PATCH", path, body, Content_Type=kind)
    assert status == 400 and "invalid object type" in found["message"], found


BOMBS = {
    "nested": b"metadata: {name: x}\ndata: " + b"[" * 100_000,
    "nested blocks": b"- " * 50_000,
    "merged": b"a: &a {" + b",".join(b"k%d: v" % i for i in range(2000)) + b"}\n" + b"b: {<<: *a}\n" * 1500,
    "aliases": b"a: &a " + b"x" * 20_000 + b"\ndata: [" + b"*a," * 20_000 + b"]",
    "many values": b"data: [" + b"a," * 700_000 + b"]",
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize(("method", "kind"), [("POST", "application/yaml"), ("PATCH", "application/apply-patch+yaml"),
                                              ("DELETE", "application/yaml")])  # fmt: skip
def test_yaml_that_would_take_the_server_is_refused(server: Server, method: str, kind: str, bomb: str) -> None:
    path = CONFIGS if method == "POST" else f"{CONFIGS}/x?fieldManager=m"
    status, found = server.request(method, path, BOMBS[bomb], Content_Type=kind)
    assert status == 400 and "yaml: line" in found["message"], found
    assert server.request("GET", "/readyz")[0] == 200


def test_large_answers_are_compressed_for_those_who_ask(server: Server) -> None:
    for i in range(4):
        server.request("POST", CONFIGS, {"metadata": {"name": f"large-{i}"}, "data": {"x": "y" * 60_000}})
    connection = server.connection()
    connection.request("GET", CONFIGS, headers={"Authorization": f"Bearer {server.token}", "Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    packed = answer.read()
    connection.close()
    assert answer.headers["Content-Encoding"] == "gzip" and len(packed) < 50_000
    items = json.loads(gzip.decompress(packed))["items"]
    assert sum(item["metadata"]["name"].startswith("large-") for item in items) == 4


@pytest.mark.parametrize(
    ("query", "agent", "indented"),
    [
        ("", "kubectl/v1.36", False),
        ("?pretty=true", "kubectl/v1.36", True),
        ("", "curl/8.5.0", True),
        ("?pretty=false", "curl/8.5.0", False),
    ],
)
def test_json_is_indented_for_those_who_look_at_it(server: Server, query: str, agent: str, indented: bool) -> None:
    for path in ("/apis", "/api/v1/namespaces/work", f"{CONFIGS}/absent"):
        connection = server.connection()
        connection.request(
            "GET", path + query, headers={"Authorization": f"Bearer {server.token}", "User-Agent": agent}
        )
        body = connection.getresponse().read()
        connection.close()
        assert body.startswith(b'{\n  "kind"') is indented


def test_connections_are_kept_and_pipelined_errors_do_not_break_them(server: Server) -> None:
    connection = server.connection()
    headers = {"Authorization": f"Bearer {server.token}"}
    for path, status in ((CONFIGS, 200), ("/nothing", 404), (f"{CONFIGS}/absent", 404), ("/version", 200)):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (status, True)
    connection.close()


def test_health_names_each_check(server: Server) -> None:
    _, text = server.request("GET", "/readyz?verbose")
    assert b"[+]etcd ok" in text and b"readyz check passed" in text
    assert server.request("GET", "/readyz/etcd")[0] == 200 and server.request("GET", "/readyz/none")[0] == 404


def test_metrics_count_requests(server: Server) -> None:
    server.request("GET", CONFIGS)
    _, text = server.request("GET", "/metrics")
    labels = b'verb="LIST",dry_run="",group="",version="v1",resource="configmaps",subresource="",scope="namespace"'
    assert b"apiserver_request_total{" + labels + b',component="apiserver",code="200"} ' in text
    assert b"apiserver_request_sli_duration_seconds_count{" + labels + b',component="apiserver"} ' in text
    # The one that is answered just now.
    assert b'apiserver_current_inflight_requests{request_kind="readOnly"} 1\n' in text
    assert b"binnacle_store_commit_duration_seconds_bucket" in text and b"process_resident_memory_bytes" in text


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("DELETE", "/api/v1/namespaces/work/configmaps/any", {"gracePeriodSeconds": "x"}, "gracePeriodSeconds"),
        ("POST", "/api/v1/namespaces/work/pods/any/binding", {"target": 5}, "target"),
        ("POST", "/api/v1/namespaces/work/pods/any/eviction", {"deleteOptions": []}, "deleteOptions"),
        ("POST", "/api/v1/namespaces/work/serviceaccounts/any/token", {"spec": {"audiences": 1}}, "audiences"),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": 5}}, "token"),
        ("PUT", "/api/v1/namespaces/work/finalize", {"spec": 5}, "spec"),
        ("PUT", f"{SCALED}/scale", {"spec": 5}, "spec"),
        ("PUT", f"{SCALED}/scale", {"spec": {"replicas": "x"}}, "replicas"),
        ("PUT", f"{SCALED}/scale", {"spec": {"replicas": 2**40}}, "replicas"),
        ("PATCH", f"{SCALED}/scale", {"spec": []}, "spec"),
        ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": {"groups": "x"}}, "groups"),
    ],
)
def test_fields_of_a_wrong_type_are_named(server: Server, method: str, path: str, body: object, said: str) -> None:
    if path.startswith(SCALED):
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "host"}]}}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        server.request("POST", SCALED.rpartition("/")[0], {"metadata": {"name": "odd"}, "spec": spec})
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    status, answer = server.request(method, path, body, Content_Type=kind)
    assert status == 400
    assert "cannot unmarshal" in answer["message"] and said in answer["message"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (f"limit={2**63 - 1}", 200),
        (f"limit={2**63}", 400),
        ("limit=1" + "0" * 400, 400),
        ("limit=1_0", 400),
        ("limit=%D9%A1", 400),  # a digit, but none of Go's
        ("watch=1&timeoutSeconds=1" + "0" * 400, 400),
        (f"resourceVersion={2**64 - 1}", 504),
        (f"resourceVersion={2**64}", 400),
        ("resourceVersion=" + "9" * 5000, 400),
        (f"watch=1&resourceVersion={2**64}", 400),
    ],
)
def test_numbers_that_64_bits_do_not_hold_are_the_clients_fault(server: Server, query: str, status: int) -> None:
    assert server.request("GET", f"{CONFIGS}?{query}")[0] == status


TWICE = b"""apiVersion: v1
kind: ConfigMap
metadata: {name: twice}
data:
  a: b
  a: c
foo: {x: 1, x: 2}
"""
SAID = 'yaml: unmarshal errors:\n  line 6: key "a" already set in map\n  line 7: key "x" already set in map'


def test_all_that_strict_decoding_finds_is_told_at_once(server: Server) -> None:
    path = f"{CONFIGS}?fieldValidation=Strict"
    status, body = server.request("POST", path, TWICE, Content_Type="application/yaml")
    assert status == 400 and body["message"].endswith(f'strict decoding error: {SAID}, unknown field "foo"')
    twice = b'{"metadata":{"name":"twice"},"data":{"a":"b","a":"c"},"foo":1}'
    status, body = server.request("POST", path, twice)
    assert status == 400
    assert body["message"].endswith('strict decoding error: duplicate field "data.a", unknown field "foo"')
    applied = f"{CONFIGS}/twice?fieldManager=m&fieldValidation="
    kind = "application/apply-patch+yaml"
    status, body = server.request("PATCH", f"{applied}Strict", TWICE, Content_Type=kind)
    assert status == 400
    assert body["message"] == f"error strict decoding YAML: error converting YAML to JSON: {SAID}"


def test_there_is_no_table_of_a_review(server: Server) -> None:
    path, table = (
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        "application/json;as=Table;g=meta.k8s.io;v=v1",
    )
    review = {"spec": {"resourceAttributes": {"verb": "get"}}}
    assert server.request("POST", path, review, Accept=table)[0] == 406
    assert server.request("POST", path, review, Accept=f"{table},application/json")[0] == 201


def test_an_unknown_resource_has_empty_details(server: Server) -> None:
    status, body = server.request("GET", "/api/v1/nosuch")
    assert (status, body["reason"], body["details"]) == (404, "NotFound", {})
