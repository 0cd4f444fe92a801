"""HEAD gets what GET gets, without a body: nothing follows the head but the answer to the next request."""

from __future__ import annotations

import ssl

import pytest

from tests.apiserver.standalone import Server
from tests.rawhttp import head_alone

PLAIN = (
    "/",
    "/version",
    "/metrics",
    "/healthz",
    "/healthz/ping",
    "/livez?verbose",
    "/readyz",
    "/api",
    "/api/v1",
    "/apis",
    "/apis/apps",
    "/apis/apps/v1",
    "/openapi/v2",
    "/openapi/v3",
    "/openapi/v3/apis/apps/v1",
    "/nothing/here",
)
CONDITIONS = (
    "watch=true",
    "watch=1&resourceVersion=1",
    "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
)
FORMS = (
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
)


def head(server: Server, path: str, accept: str = "*/*") -> tuple[int, dict[str, str]]:
    context = ssl.create_default_context(cafile=server.ca)
    headers = f"Authorization: Bearer {server.token}\r\nAccept: {accept}\r\n"
    return head_alone(server.port, path, context, headers)


def collections(server: Server) -> list[str]:
    """The path of each kind that can be listed and watched."""
    _, groups = server.request("GET", "/apis")
    return [
        f"{base}/{'namespaces/work/' if resource['namespaced'] else ''}{resource['name']}"
        for base in ("/api/v1", *(f"/apis/{v['groupVersion']}" for g in groups["groups"] for v in g["versions"]))
        for resource in server.request("GET", base)[1]["resources"]
        if "watch" in resource["verbs"]
    ]


@pytest.mark.parametrize("path", PLAIN)
def test_pages_that_are_no_resources(server: Server, path: str) -> None:
    assert head(server, path)[0] == (404 if path == "/nothing/here" else 200)


def test_every_kind_in_every_way(server: Server) -> None:
    paths = collections(server)
    assert len(paths) >= 60
    for at, path in enumerate(paths):
        for query in ("", f"?{CONDITIONS[at % len(CONDITIONS)]}"):
            status, headers = head(server, path + query, FORMS[at % len(FORMS)])
            assert status in (200, 406), (path, query)  # a watch cannot be had as protobuf
            assert "content-length" in headers or "transfer-encoding" in headers
        assert head(server, f"{path}/absent", FORMS[at % len(FORMS)])[0] == 404


def test_no_watch_stays_behind(server: Server) -> None:
    def watches() -> list[str]:
        page = server.request("GET", "/metrics")[1].decode()
        return [line for line in page.splitlines() if line.startswith("apiserver_longrunning_requests{")]

    before = watches()
    for _ in range(5):
        assert head(server, "/api/v1/pods?watch=true")[0] == 200
        assert head(server, "/api/v1/watch/namespaces/work/pods/one")[0] == 200
    assert watches() == before


def test_what_is_passed_on(server: Server, service: str, node: str) -> None:
    status, headers = head(server, f"{service}/page")
    assert (status, headers["content-length"]) == (200, "12345")
    assert head(server, service)[0] == 301
    assert head(server, "/api/v1/nodes/n1/proxy/healthz")[1]["content-length"] == "12345"
    assert head(server, f"{node}/log")[0] == 200
    assert head(server, f"{node}/log?follow=true")[0] == 200
    assert head(server, f"{node}/exec?command=ls&container=c")[0] == 400
