"""A real Elasticsearch, started once for all tests that ask for it, and empty for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from logs.search import elastic
from tests.e2e.elasticsearch import Elasticsearch


@pytest.fixture(scope="session")
def elasticsearch_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elasticsearch]:
    node = Elasticsearch(tmp_path_factory.mktemp("elasticsearch"))
    try:
        node.launch()
        node.wait(400)  # beside other tests a JVM may take minutes to come up
        yield node
    finally:
        node.close()


@pytest.fixture
def elasticsearch(elasticsearch_server: Elasticsearch, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elasticsearch]:
    # What users are not to wait for says nothing about the answer: a machine that stalls would be refused one.
    monkeypatch.setattr(elastic, "TIMEOUT", 300.0)
    yield elasticsearch_server
    elasticsearch_server.clear()
