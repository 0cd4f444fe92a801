"""The old store's lines into the new: each once, however often one copies."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import orjson
import pytest

from kube import clock
from logs import copy
from logs.index.parts import Bounds, Parts
from logs.index.writer import Writer
from tests.e2e.elasticsearch import Elasticsearch

DAY = 86_400 * 10**9
COUNT = 60


def line(number: int) -> bytes:
    at = clock.stamp_nano(time.time_ns() - number % 3 * DAY)
    return orjson.dumps(
        {
            "_id": f"{number:032x}",
            "@timestamp": at,
            "message": f"line {number}",
            "source": "node",
            "level": "info",
            "kubernetes": {"node": "n1"},
            "fields": {"number": number},
        }
    )


def filled(folder: Path) -> None:
    async def write() -> None:
        writer = Writer(Parts(folder, Bounds()))
        await writer.write([line(n) for n in range(COUNT)])
        await asyncio.to_thread(writer.close)

    asyncio.run(write())


def copied(source: str, target: str, *more: str) -> int:
    return asyncio.run(copy.main(copy.arguments(["--from", source, "--to", target, *more])))


def documents(place: str) -> dict[str, bytes]:
    """By id, as the store gives them out."""

    async def read() -> dict[str, bytes]:
        store = copy.opened(place)
        page = await store.reading.search(copy.Asked(copy.parse(""), 0, (1 << 63) - 1), 1000, False, None)
        await store.reading.close()
        return {
            found["_id"]: orjson.dumps(found, option=orjson.OPT_SORT_KEYS) for found in map(orjson.loads, page.lines)
        }

    return asyncio.run(read())


def test_from_folder_to_folder_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = str(tmp_path / "old"), str(tmp_path / "new")
    filled(tmp_path / "old")
    assert copied(old, new, "--query", "fields.number:<10") == 0
    assert len(documents(new)) == 10
    assert copied(old, new) == 0 and copied(old, new) == 0
    assert f"copied {COUNT} lines, 0 were refused" in capsys.readouterr().out
    assert documents(new) == documents(old) and len(documents(new)) == COUNT


@pytest.mark.serial
@pytest.mark.timeout(600)  # with the start of Elasticsearch
def test_to_elasticsearch_and_back(tmp_path: Path, elasticsearch: Elasticsearch) -> None:
    old, back = str(tmp_path / "old"), str(tmp_path / "back")
    filled(tmp_path / "old")
    assert copied(old, elasticsearch.url) == 0 and copied(old, elasticsearch.url) == 0
    elasticsearch.ask("POST", "/logs-*/_refresh")
    assert copied(elasticsearch.url, back) == 0
    assert documents(back) == documents(old) and len(documents(back)) == COUNT
