"""One standalone server for all tests of this package that only talk to it over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.apiserver.standalone import Server


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
