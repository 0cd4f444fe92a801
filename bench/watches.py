"""Milliseconds from the start of a create to its event at a watcher, with 1 and with 100 watchers (all of them)."""

from __future__ import annotations

import asyncio
import json
import re
import time

import uvloop

from bench.pods import COLLECTION, pod, wait_for_account
from bench.servers import api_server
from bench.wire import Connection, Target

WRITES, PAUSE = 300, 0.02
NAME = re.compile(rb'"name":\s?"(w\d+-\d+)"')


async def watcher(target: Target, arrived: dict[str, list[float]], ready: asyncio.Semaphore) -> None:
    connection = await Connection(target).open()
    connection.send("GET", COLLECTION + "?watch=true&resourceVersion=0")
    status, _, _ = await connection.head()
    assert status == 200
    ready.release()
    buffer = b""
    while data := await connection.chunk():
        buffer += data
        *lines, buffer = buffer.split(b"\n")
        now = time.perf_counter()
        for line in lines:
            found = NAME.search(line)
            if found:
                arrived.setdefault(found[1].decode(), []).append(now)


async def measure(target: Target, watchers: int) -> dict[str, object]:
    arrived: dict[str, list[float]] = {}
    ready = asyncio.Semaphore(0)
    tasks = [asyncio.ensure_future(watcher(target, arrived, ready)) for _ in range(watchers)]
    for _ in tasks:
        await ready.acquire()
    connection = await Connection(target).open()
    sent = {}
    for number in range(WRITES):
        name = f"w{watchers}-{number}"
        sent[name] = time.perf_counter()
        await connection.request("POST", COLLECTION, pod(name))
        await asyncio.sleep(PAUSE)
    await asyncio.sleep(1)
    for task in tasks:
        task.cancel()
    delays = sorted(at - sent[name] for name, times in arrived.items() if name in sent for at in times)
    assert len(delays) == WRITES * watchers, f"{len(delays)} events arrived of {WRITES * watchers}"
    return {
        "p50_ms": round(delays[len(delays) // 2] * 1e3, 2),
        "p99_ms": round(delays[len(delays) * 99 // 100] * 1e3, 2),
    }


async def both(target: Target) -> dict[str, object]:
    await wait_for_account(target)
    return {f"{watchers}_watchers": await measure(target, watchers) for watchers in (1, 100)}


def main() -> dict[str, object]:
    with api_server() as (target, _):
        return uvloop.run(both(target))


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
