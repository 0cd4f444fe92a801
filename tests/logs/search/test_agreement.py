"""Both stores, and a plain matcher, give the same answers to the same questions."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from kube import clock
from logs.index.backend import Embedded
from logs.index.parts import Bounds, Parts
from logs.index.writer import Writer
from logs.query import fields, moments, parse
from logs.search.backend import Asked, Backend
from tests.e2e.elasticsearch import Elasticsearch
from tests.logs import samples

HOUR = 3600 * 10**9
DOCUMENTS, QUERIES = 250, 60


def documents(seed: int) -> list[samples.Json]:
    """Of yesterday and today, so that two indices are asked."""
    chance = random.Random(seed)
    start = time.time_ns() // HOUR * HOUR - 30 * HOUR
    return [samples.document(chance, i, start + (i % 2) * 24 * HOUR) for i in range(DOCUMENTS)]


def order(found: samples.Json) -> tuple[int, str]:
    return moments.nanoseconds(found["@timestamp"]), found["_id"]


async def pages(backend: Backend, asked: Asked, limit: int, newest_first: bool) -> list[str]:
    """The ids of all lines, page by page."""
    ids: list[str] = []
    after = None
    while True:
        page = await backend.search(asked, limit, newest_first, after)
        ids += [orjson.loads(line)["_id"] for line in page.lines]
        after = page.next
        if after is None:
            return ids


async def check(backend: Backend, found: list[samples.Json], text: str, newest_first: bool, limit: int) -> None:
    tree = parse(text)
    times = sorted(map(order, found))
    asked = Asked(tree, times[40][0], times[-40][0])
    expected = [one for one in found if asked.low <= order(one)[0] < asked.high and samples.matches(tree, one)]
    expected.sort(key=order, reverse=newest_first)
    assert await pages(backend, asked, limit, newest_first) == [one["_id"] for one in expected], text
    await check_counts(backend, asked, expected, text)


async def check_counts(backend: Backend, asked: Asked, expected: list[samples.Json], text: str) -> None:
    counted: dict[int, Counter[str]] = {}
    for one in expected:
        start = order(one)[0] // 60_000_000_000 * 60_000
        counted.setdefault(start, Counter())[one.get("level", "")] += 1
    assert await backend.histogram(asked, 60_000) == sorted(
        (start, dict(levels)) for start, levels in counted.items()
    ), text
    for field in (fields.POD, fields.LEVEL, fields.find("fields.status")):
        assert field is not None
        top = await backend.top(asked, field, 50)
        assert dict(top.values) == Counter(value for one in expected for value in samples.values(field, one)), (
            text,
            field,
        )
        assert top.others == 0


async def check_many(backend: Backend, found: list[samples.Json], count: int) -> None:
    chance = random.Random(7)
    for text in [*samples.TERMS, *(samples.query(chance) for _ in range(count))]:
        await check(backend, found, text, chance.random() < 0.5, chance.choice((20, 1000)))


def test_the_embedded_store_answers_as_a_plain_matcher(tmp_path: Path) -> None:
    async def run() -> None:
        parts = Parts(tmp_path, Bounds(part=1))  # each group in an index of its own
        writer = Writer(parts)
        backend = Embedded(parts, writer)
        found = documents(1)
        for at in range(0, len(found), 90):  # several segments, and each line twice
            lines = [orjson.dumps(one) for one in found[at : at + 90]]
            assert {result.status for result in await writer.write([*lines, *lines[:20]])} == {"ok"}
        try:
            await check_many(backend, found, QUERIES)
        finally:
            await backend.close()

    asyncio.run(run())


@pytest.mark.serial
@pytest.mark.timeout(600)  # with the start of Elasticsearch
def test_elasticsearch_answers_as_a_plain_matcher(elasticsearch: Elasticsearch) -> None:
    from logs.elastic.store import Elasticsearch as Store
    from logs.record import Document
    from logs.search.elastic import Elastic
    from web.client import HttpSession

    async def run() -> None:
        server, found = HttpSession(elasticsearch.url, timeout=300.0), documents(2)
        store, backend = Store(server), Elastic(server)
        batch = [
            Document(one["_id"], one["@timestamp"], orjson.dumps({k: v for k, v in one.items() if k != "_id"}))
            for one in found
        ]
        try:
            assert {result.status for result in await store.write(batch)} == {"ok"}
            assert (await server.request("POST", "/logs-*/_refresh")).status == 200
            await check_many(backend, found, 40)
            await check_follow(backend, store)
        finally:
            server.close()

    asyncio.run(run())


async def check_follow(backend: Any, store: Any) -> None:
    """What is written while one follows is seen once."""
    from logs.record import Document

    asked = Asked(parse("followed"), 0, (1 << 63) - 1)
    mark = (await backend.arrivals(asked, None, 100))[1]
    at = clock.stamp_nano(time.time_ns())
    await store.write(
        [Document("f" * 32, at, orjson.dumps({"@timestamp": at, "message": "followed", "source": "node"}))]
    )
    seen: list[bytes] = []
    while not seen:
        lines, mark = await backend.arrivals(asked, mark, 100)
        seen += lines
        await asyncio.sleep(0.2)
    assert [orjson.loads(line)["_id"] for line in seen] == ["f" * 32]
    assert (await backend.arrivals(asked, mark, 100))[0] == []
