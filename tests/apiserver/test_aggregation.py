"""An API server beside this one: requests are passed on, discovery and OpenAPI are merged, its state is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from apiserver.openapi.merging import merged
from apiserver.remotes import Known, Remote
from kube import conditions
from kube.objects import Json
from tests.apiserver.extension import GROUP, PLACE, ROSE, VERSION, Extension, openapi
from tests.apiserver.standalone import Server, Watch
from tests.apiserver.test_custom_kinds import MERGE, eventually

NAME = f"{VERSION}.{GROUP}"
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
ROSES = f"{PLACE}/namespaces/work/roses"
WORK = "/api/v1/namespaces/work"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def condition(server: Server) -> Json:
    found = server.request("GET", f"{SERVICES}/{NAME}")[1]
    return conditions.find(found.get("status"), "Available") or {}


@pytest.fixture
def garden(server: Server, tmp_path: Path) -> Iterator[Extension]:
    """The extension server, with its service, and registered."""
    extension = Extension(tmp_path / "extension", Path(server.ca).parent, "garden.work.svc")
    spec = {"ports": [{"name": "https", "port": 443}]}
    assert server.request("POST", f"{WORK}/services", {"metadata": {"name": "garden"}, "spec": spec})[0] == 201
    slices = "/apis/discovery.k8s.io/v1/namespaces/work/endpointslices"
    ready = {
        "metadata": {"name": "garden-1", "labels": {"kubernetes.io/service-name": "garden"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": extension.port}],
    }
    assert server.request("POST", slices, ready)[0] == 201
    registered = {
        "metadata": {"name": NAME},
        "spec": {
            "group": GROUP,
            "version": VERSION,
            "groupPriorityMinimum": 2000,
            "versionPriority": 10,
            "caBundle": extension.bundle,
            "service": {"name": "garden", "namespace": "work"},
        },
    }
    assert server.request("POST", SERVICES, registered)[0] == 201
    eventually(lambda: condition(server).get("status") == "True")
    yield extension
    for path in (f"{SERVICES}/{NAME}", f"{WORK}/services/garden", f"{slices}/garden-1"):
        server.request("DELETE", path)
    extension.close()


def test_requests_are_passed_on_in_the_name_of_who_made_them(server: Server, garden: Extension) -> None:
    spoof = {"X_Remote_User": "system:admin", "X_Remote_Extra_Scopes": "all"}
    status, made = server.request("POST", f"{ROSES}?fieldManager=me", {"metadata": {"name": "white"}}, **spoof)
    assert (status, made) == (201, {"metadata": {"name": "white"}})
    method, path, headers = garden.seen[-1]
    assert (method, path) == ("POST", f"{ROSES}?fieldManager=me")
    assert headers["x-remote-user"] == ["admin"] and "system:masters" in headers["x-remote-group"]
    assert "authorization" not in headers and "x-remote-extra-scopes" not in headers
    assert server.request("GET", ROSES)[1]["items"][0]["metadata"]["name"] == "red"
    status, none = server.request("GET", f"{ROSES}/none")
    assert (status, none["message"]) == (404, "none of mine")
    as_ann = {"Impersonate_User": "ann", "Impersonate_Group": "gardeners", "Impersonate_Extra_Scopes": "a b"}
    assert server.request("GET", ROSES, **as_ann)[0] == 403  # what is not allowed here is not passed on
    assert server.request("GET", PLACE, **as_ann)[0] == 200
    as_ann["Impersonate_Group"] = "system:masters"
    assert server.request("GET", ROSES, **as_ann)[0] == 200
    headers = garden.seen[-1][2]
    assert headers["x-remote-user"] == ["ann"] and headers["x-remote-extra-scopes"] == ["a b"]
    assert not any(name.startswith("impersonate") for name in headers)


def test_a_watch_is_passed_on_as_it_comes(server: Server, garden: Extension) -> None:
    watch = Watch(server, f"{ROSES}?watch=1")
    try:
        assert [watch.next()["object"]["metadata"]["name"] for _ in range(2)] == ["early", "late"]
    finally:
        watch.close()


def test_discovery_shows_both(server: Server, garden: Extension) -> None:
    eventually(lambda: server.request("GET", "/apis", Accept=AGGREGATED)[0] == 200)
    groups = {item["metadata"]["name"]: item for item in server.request("GET", "/apis", Accept=AGGREGATED)[1]["items"]}
    (version,) = groups[GROUP]["versions"]
    (roses,) = version["resources"]
    assert (version["version"], version["freshness"], roses["resource"], roses["scope"]) == (
        VERSION, "Current", "roses", "Namespaced",
    )  # fmt: skip
    assert roses["responseKind"] == {"group": GROUP, "version": VERSION, "kind": "Rose"}
    assert [part["subresource"] for part in roses["subresources"]] == ["status"]
    listed = [group["name"] for group in server.request("GET", "/apis")[1]["groups"]]
    assert "apps" in listed and GROUP in listed
    assert server.request("GET", f"/apis/{GROUP}")[1]["preferredVersion"]["version"] == VERSION
    assert server.request("GET", PLACE)[1]["resources"][0]["name"] == "roses"


def test_open_api_shows_both(server: Server, garden: Extension) -> None:
    paths = server.request("GET", "/openapi/v3")[1]["paths"]
    assert paths[PLACE[1:]]["serverRelativeURL"] == f"/openapi/v3{PLACE}?hash=ABC" and "apis/apps/v1" in paths
    assert ROSE in server.request("GET", f"/openapi/v3{PLACE}")[1]["components"]["schemas"]
    whole = server.request("GET", "/openapi/v2")[1]
    assert f"{PLACE}/namespaces/{{namespace}}/roses" in whole["paths"] and ROSE in whole["definitions"]
    status, message = server.request(
        "GET", "/openapi/v2", Accept="application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    )
    assert status == 200 and ROSE.encode() in message


def test_who_does_not_answer_is_unavailable(server: Server, garden: Extension) -> None:
    garden.broken = True
    server.request("PATCH", f"{WORK}/services/garden", {"metadata": {"labels": {"look": "now"}}}, Content_Type=MERGE)
    eventually(lambda: condition(server).get("reason") == "FailedDiscoveryCheck")
    assert "500" in condition(server)["message"]
    status, text = server.request("GET", ROSES)
    assert (status, text) == (503, b"service unavailable\n")
    stale = [i for i in server.request("GET", "/apis", Accept=AGGREGATED)[1]["items"] if i["metadata"]["name"] == GROUP]
    assert stale[0]["versions"][0]["freshness"] == "Stale"
    garden.broken = False
    server.request("PATCH", f"{WORK}/services/garden", {"metadata": {"labels": {"look": "again"}}}, Content_Type=MERGE)
    eventually(lambda: server.request("GET", ROSES)[0] == 200)
    port = {"spec": {"ports": [{"name": "https", "port": 8443}]}}
    server.request("PATCH", f"{WORK}/services/garden", port, Content_Type=MERGE)
    eventually(lambda: condition(server).get("reason") == "ServicePortError")
    server.request("DELETE", f"{WORK}/services/garden")
    eventually(lambda: condition(server).get("reason") == "ServiceNotFound")
    local = {"spec": {"service": None, "caBundle": None}}
    server.request("PATCH", f"{SERVICES}/{NAME}", local, Content_Type=MERGE)
    eventually(lambda: condition(server).get("reason") == "Local")


def test_a_certificate_of_another_authority_is_refused(server: Server, garden: Extension) -> None:
    other = json.dumps({"spec": {"caBundle": None}}).encode()
    server.request("PATCH", f"{SERVICES}/{NAME}", other, Content_Type=MERGE)
    eventually(lambda: condition(server).get("reason") == "FailedDiscoveryCheck")
    assert "certificate" in condition(server)["message"].lower()
    unchecked = {"spec": {"insecureSkipTLSVerify": True}}
    server.request("PATCH", f"{SERVICES}/{NAME}", unchecked, Content_Type=MERGE)
    eventually(lambda: server.request("GET", ROSES)[0] == 200)


def test_what_others_need_to_know_this_server_is_published(server: Server) -> None:
    place = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
    eventually(lambda: server.request("GET", place)[0] == 200)
    data = server.request("GET", place)[1]["data"]
    assert data["requestheader-username-headers"] == '["X-Remote-User"]'
    assert data["requestheader-allowed-names"] == '["front-proxy-client"]'
    assert data["client-ca-file"] != data["requestheader-client-ca-file"]
    server.request("DELETE", place)
    eventually(lambda: server.request("GET", place)[0] == 200)


def test_definitions_of_the_same_name_are_kept_apart() -> None:
    known = Known(v2=json.dumps(openapi()).encode())
    remote = Remote(NAME, GROUP, VERSION, "work", "garden", 443, "", False, 1, True, known)
    meta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    own = {"paths": {"/apis/": {}}, "definitions": {meta: {"type": "object"}}}
    whole = json.loads(merged(json.dumps(own).encode(), [remote]))
    assert set(whole["definitions"]) == {meta, f"{meta}_v2", ROSE} and "/version/" not in whole["paths"]
    assert whole["definitions"][ROSE]["properties"]["metadata"] == {"$ref": f"#/definitions/{meta}_v2"}
    for odd in (b"", b"[]", b'{"paths":1}', b"<html>"):
        known.v2 = odd
        assert json.loads(merged(json.dumps(own).encode(), [remote])) == own
