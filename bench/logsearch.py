"""Log search over 1,000,000 lines: lines a second into the store, and what questions take, embedded and Elasticsearch.

`python -m bench.logsearch [LINES]`; Elasticsearch is measured where BINNACLE_ELASTICSEARCH names a folder with its jars.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import environment
from kube import clock

sys.path.append(str(Path(__file__).resolve().parent.parent / "logging"))

import orjson

from logs.index.backend import Embedded
from logs.index.parts import Bounds, Parts
from logs.index.writer import Writer
from logs.query import fields, parse
from logs.search.backend import Asked, Backend

LINES, BATCH, FLIGHT, ROUNDS = 1_000_000, 2_500, 2, 30
SPAN = 6 * 3600 * 10**9  # nanoseconds that the lines are spread over
VERBS, PATHS = ("GET", "POST", "PUT", "DELETE"), ("cart", "orders", "users", "health", "login", "items")
ENDINGS = (
    "served",
    "served",
    "served",
    "connection refused by upstream",
    "timeout after retry",
    "cache miss",
    "not found",
)
LEVELS = ("info",) * 8 + ("warn", "error")
QUESTIONS = {
    "word": "timeout",
    "rare_word": "id77777",
    "phrase": '"connection refused by upstream"',
    "two_words": "orders refused",
    "field": "ns:ns3 level:error",
    "number": "fields.status:[500 TO 599]",
    "number_of_namespace": "fields.status:>=500 ns:ns3",
    "distinct_number": "fields.seconds:>=0.75",
    "wildcard": "timeo*",
    "field_beginning": "fields.user:u12*",
    "field_wildcard": "fields.user:u?2*4",
    "everything": "",
}


def line(number: int, start: int, chance: random.Random) -> bytes:
    """About 500 bytes, as a web service's JSON log gives them."""
    status, pod = chance.choice((200, 200, 200, 201, 404, 500)), number % 200
    message = (
        f"{chance.choice(VERBS)} /api/v1/{chance.choice(PATHS)}/{chance.randrange(50_000)} {status} "
        f"{chance.randrange(900)}ms {chance.choice(ENDINGS)} id{number}"
    )
    return orjson.dumps(
        {
            "_id": f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}",
            "@timestamp": clock.stamp_nano(start + number * SPAN // LINES),
            "message": message,
            "stream": "stdout",
            "level": chance.choice(LEVELS),
            "source": "container",
            "fields": {"status": status, "seconds": chance.random(), "user": f"u{chance.randrange(5000)}"},
            "kubernetes": {
                "namespace": f"ns{pod % 10}",
                "pod": f"web-{pod}",
                "container": "web",
                "node": "n1",
                "pod_uid": f"uid-{pod}",
                "labels": {"app": "web"},
                "workload": {"kind": "Deployment", "name": "web"},
            },
        }
    )


Write = Callable[[Sequence[bytes]], Awaitable[Any]]


async def ingest(write: Write, count: int, start: int) -> dict[str, Any]:
    """Batches as the shipper sends them, some at once; making them is not counted."""
    chance, seconds, used = random.Random(1), 0.0, 0.0
    for first in range(0, count, BATCH * FLIGHT):
        batches = [
            [line(n, start, chance) for n in range(at, min(at + BATCH, count))]
            for at in range(first, min(first + BATCH * FLIGHT, count), BATCH)
        ]
        began, cpu = time.perf_counter(), _cpu()
        await asyncio.gather(*(write(batch) for batch in batches))
        seconds, used = seconds + time.perf_counter() - began, used + _cpu() - cpu
    return {"lines_per_second": round(count / seconds), "lines_per_cpu_second": round(count / used) if used else None}


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def searches(backend: Backend, start: int) -> dict[str, Any]:
    """Milliseconds: the newest 200 lines of each question, and a histogram of it by level."""
    found: dict[str, Any] = {}
    for name, text in QUESTIONS.items():
        asked = Asked(parse(text), start, start + SPAN + 10**9)
        found[name] = {
            "search": await timed(partial(backend.search, asked, 200, True, None)),
            "histogram": await timed(partial(backend.histogram, asked, 300_000)),
        }
    asked = Asked(parse(""), start, start + SPAN + 10**9)
    found["top_pods"] = await timed(lambda: backend.top(asked, fields.POD, 10))
    return found


async def timed(ask: Callable[[], Awaitable[Any]]) -> dict[str, float]:
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await ask()
        took.append((time.perf_counter() - began) * 1000)
    return {"p50_ms": round(statistics.median(took), 1), "p99_ms": round(max(took), 1)}


async def embedded(count: int, start: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        parts = Parts(Path(folder), Bounds(size=1 << 40))
        writer = Writer(parts)
        try:
            written = await ingest(writer.write, count, start)
            sizes = {"bytes_per_line": round(sum(parts.measure(fresh=True).values()) / count)}
            return {**written, **sizes, **await searches(Embedded(parts, writer), start)}
        finally:
            await asyncio.to_thread(writer.close)


async def elasticsearch(count: int, start: int) -> dict[str, Any]:
    from logs.elastic.store import Elasticsearch
    from logs.record import Document, Unavailable
    from logs.search.elastic import Elastic
    from tests.e2e.elasticsearch import Elasticsearch as Node
    from web.client import HttpSession

    with tempfile.TemporaryDirectory() as folder:
        node = Node(Path(folder))
        try:
            await asyncio.to_thread(node.start)
            server = HttpSession(node.url)
            store = Elasticsearch(server)

            async def write(batch: Sequence[bytes]) -> None:
                documents = [Document(one[8:40].decode(), one[56:86].decode(), b"{" + one[42:]) for one in batch]
                while True:
                    try:
                        results = await store.write(documents)
                        break
                    except Unavailable:
                        await asyncio.sleep(1)
                assert all(result.status == "ok" for result in results), results[0]

            written = await ingest(write, count, start)
            await server.request("POST", "/logs-*/_refresh", timeout=300)
            found = {"lines_per_second": written["lines_per_second"], **await searches(Elastic(server), start)}
            server.close()
            return found
        finally:
            node.close()


def main(count: int = LINES) -> dict[str, Any]:
    start = time.time_ns() - SPAN - 60 * 10**9
    found = {"lines": count, "embedded": asyncio.run(embedded(count, start))}
    if environment.ELASTICSEARCH.given:
        found["elasticsearch"] = asyncio.run(elasticsearch(count, start))
    return found


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else LINES), indent=2))
