"""Creates per second with 16 clients over TLS, each acknowledged after it is on the disk; then lists and memory.

Prints creates/s, p50 and p99 in ms; the seconds of a list of 10,000 pods as JSON and as a Table; the server's memory.
"""

from __future__ import annotations

import json
import statistics
import time

import uvloop

from bench.pods import COLLECTION, create_all, wait_for_account
from bench.servers import api_server
from bench.wire import Connection, Target
from config.status import resident

PODS = 10_000
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


async def measure(target: Target, pid: int) -> dict[str, object]:
    await wait_for_account(target)
    await create_all(target, 200, 16, "warm-up")
    started = time.perf_counter()
    latencies = sorted(await create_all(target, PODS, 16))
    seconds = time.perf_counter() - started
    connection = await Connection(target).open()
    lists = {}
    for name, accept in (("json", "application/json"), ("table", TABLE)):
        times, size = [], 0
        for _ in range(7):
            began = time.perf_counter()
            size = len(await connection.request("GET", COLLECTION, accept=accept))
            times.append(time.perf_counter() - began)
        lists[name] = {
            "median_s": round(statistics.median(times), 4),
            "first_s": round(times[0], 4),
            "megabytes": round(size / 1e6, 1),
        }
    return {
        "creates_per_s": round(PODS / seconds),
        "p50_ms": round(latencies[PODS // 2] * 1e3, 2),
        "p99_ms": round(latencies[PODS * 99 // 100] * 1e3, 2),
        "list_10000": lists,
        "memory_mib_with_10000_pods": round(resident(pid) / 2**20),
    }


def main() -> dict[str, object]:
    with api_server() as (target, pid):
        return uvloop.run(measure(target, pid))


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
