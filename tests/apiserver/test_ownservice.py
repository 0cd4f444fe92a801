"""The Service `kubernetes` comes back when it is deleted, and follows the server's port."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.apiserver.standalone import Server

SERVICE = "/api/v1/namespaces/default/services/kubernetes"
ENDPOINTS = "/api/v1/namespaces/default/endpoints/kubernetes"
SLICE = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes"
RANGES = {"BINNACLE_POD_CIDR": "127.244.0.0/16", "BINNACLE_SERVICE_CIDR": "127.96.0.0/16"}


def until(server: Server, path: str, good: Callable[[Any], object]) -> Any:
    """The object, once it is there and `good` likes it."""
    end = time.monotonic() + 30
    while True:
        status, body = server.request("GET", path)
        if status == 200 and good(body):
            return body
        assert time.monotonic() < end, f"{path}: {status} {body}"
        time.sleep(0.05)


def test_what_is_deleted_or_changed_comes_back(server: Server) -> None:
    for path in (SERVICE, ENDPOINTS, SLICE):
        before = until(server, path, bool)
        assert server.request("DELETE", path)[0] == 200
        after = until(server, path, lambda obj, uid=before["metadata"]["uid"]: obj["metadata"]["uid"] != uid)
        for part in ("spec", "subsets", "endpoints", "ports"):
            assert after.get(part) == before.get(part)
    server.request("PATCH", ENDPOINTS, {"subsets": []}, Content_Type="application/merge-patch+json")
    until(server, ENDPOINTS, lambda obj: obj.get("subsets"))


def test_it_follows_the_port_of_the_server(tmp_path: Path) -> None:
    ports = set()
    for _ in range(2):
        with Server(tmp_path / "var", **RANGES) as server:
            port = server.port
            until(server, SERVICE, lambda obj, port=port: obj["spec"]["ports"][0]["targetPort"] == port)
            until(server, ENDPOINTS, lambda obj, port=port: obj["subsets"][0]["ports"][0]["port"] == port)
            piece = until(server, SLICE, lambda obj, port=port: obj["ports"][0]["port"] == port)
            assert [e["addresses"] for e in piece["endpoints"]] == [["127.0.0.1"]] and len(piece["ports"]) == 1
            ports.add(port)
    assert len(ports) == 2
