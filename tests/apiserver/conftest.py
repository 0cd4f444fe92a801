"""One standalone server for all tests of this package that only talk to it over HTTP, and what is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apiserver.backends import serve
from tests.apiserver.standalone import Server

WORK = "/api/v1/namespaces/work"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose pods and services live in loopback ranges, as without root."""
    with Server(
        tmp_path_factory.mktemp("apiserver") / "var",
        BINNACLE_POD_CIDR="127.244.0.0/16",
        BINNACLE_SERVICE_CIDR="127.96.0.0/16",
    ) as started:
        for name in ("work", "pages"):
            started.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
            started.request("POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
        yield started


@pytest.fixture(scope="session")
def service(server: Server) -> Iterator[str]:
    for port in serve(None):
        server.request(
            "POST",
            f"{WORK}/services",
            {"metadata": {"name": "front"}, "spec": {"ports": [{"name": "http", "port": 80}]}},
        )
        server.request(
            "POST",
            "/apis/discovery.k8s.io/v1/namespaces/work/endpointslices",
            {
                "metadata": {"name": "front-1", "labels": {"kubernetes.io/service-name": "front"}},
                "addressType": "IPv4",
                "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
                "ports": [{"name": "http", "port": port}],
            },
        )
        yield f"{WORK}/services/front:http/proxy"


@pytest.fixture(scope="session")
def node(server: Server) -> Iterator[str]:
    for port in serve(Path(server.ca).parent):
        server.request(
            "POST",
            "/api/v1/nodes",
            {
                "metadata": {"name": "n1"},
                "status": {
                    "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                    "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
                },
            },
        )
        server.request(
            "POST",
            f"{WORK}/pods",
            {"metadata": {"name": "far"}, "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "host"}]}},
        )
        yield f"{WORK}/pods/far"
