"""Protobuf over HTTPS: bodies of every sort, and answers for clients that accept nothing else."""

from __future__ import annotations

from typing import Any

from kube import protobuf
from kube.protobuf.reading import reader
from tests.apiserver.standalone import Server

FORM = "application/vnd.kubernetes.protobuf"
CONFIGS = "/api/v1/namespaces/work/configmaps"


def send(
    server: Server, method: str, path: str, obj: dict[str, Any] | None = None, accept: str = FORM
) -> tuple[int, Any]:
    """(status, object) of a request with a protobuf body."""
    body = protobuf.encode(obj) if obj is not None else None
    status, found = server.request(method, path, body, Accept=accept, Content_Type=FORM)
    return status, protobuf.decode(found) if isinstance(found, bytes) else found


def config(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_write_read_and_delete(server: Server) -> None:
    assert send(server, "POST", CONFIGS, config("pb", a="b"))[0] == 201
    assert send(server, "PUT", f"{CONFIGS}/pb", config("pb", a="c"), "application/json")[1]["data"] == {"a": "c"}
    assert send(server, "GET", f"{CONFIGS}/pb")[1]["data"] == {"a": "c"}
    listed = send(server, "GET", f"{CONFIGS}?fieldSelector=metadata.name%3Dpb")[1]
    assert listed["kind"] == "ConfigMapList" and listed["items"][0]["data"] == {"a": "c"}
    options = {"apiVersion": "apps/v1", "kind": "DeleteOptions", "preconditions": {"uid": "another"}}
    assert send(server, "DELETE", f"{CONFIGS}/pb", options)[0] == 409
    assert send(server, "DELETE", f"{CONFIGS}/pb", {**options, "preconditions": {}})[1]["status"] == "Success"
    assert send(server, "GET", f"{CONFIGS}/pb")[1]["reason"] == "NotFound"


def test_json_is_preferred_where_it_is_accepted_too(server: Server) -> None:
    for accept in (f"{FORM},application/json", f"{FORM}, */*"):
        status, found = server.request("GET", CONFIGS, Accept=accept)
        assert status == 200 and found["kind"] == "ConfigMapList"


def test_reviews_and_tokens(server: Server) -> None:
    token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 900}}
    status, found = send(server, "POST", "/api/v1/namespaces/work/serviceaccounts/default/token", token)
    assert status == 201 and found["spec"]["expirationSeconds"] == 900 and found["status"]["token"]


def test_watches_are_framed(server: Server) -> None:
    send(server, "POST", CONFIGS, config("framed"))
    path = f"{CONFIGS}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dframed"
    status, raw = server.request("GET", path, Accept=FORM)
    size = int.from_bytes(raw[:4], "big")
    event = reader("WatchEvent")(raw, 4, 4 + size, 0)
    assert status == 200 and event["type"] == "ADDED" and len(raw) == size + 4
    assert protobuf.decode(event["object"]["raw"])["metadata"]["name"] == "framed"


def test_garbage_and_wrong_kinds_are_bad_requests(server: Server) -> None:
    assert server.request("POST", CONFIGS, b"k8s\0\xff\xff", Content_Type=FORM)[0] == 400
    wrong = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}
    assert send(server, "POST", CONFIGS, wrong)[0] == 400


def test_tables_have_no_such_form(server: Server) -> None:
    assert server.request("GET", CONFIGS, Accept=f"{FORM};as=Table;g=meta.k8s.io;v=v1")[0] == 406
