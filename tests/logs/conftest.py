"""A real Elasticsearch, started once for all tests that ask for it, and empty for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.elasticsearch import Elasticsearch


@pytest.fixture(scope="session")
def elasticsearch_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elasticsearch]:
    node = Elasticsearch(tmp_path_factory.mktemp("elasticsearch"))
    try:
        node.start()
        yield node
    finally:
        node.close()


@pytest.fixture
def elasticsearch(elasticsearch_server: Elasticsearch) -> Iterator[Elasticsearch]:
    yield elasticsearch_server
    elasticsearch_server.clear()
