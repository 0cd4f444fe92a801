"""The history of monitoring: what 10,000 pods cost each 15 s, on the disk and in memory, and how long a range query takes.

The pages are read and kept as the scraper does it, at simulated times: one hundred nodes, one container a pod. Figures move
as those of pods do that work a little: processor time and memory always, network mostly, the file system seldom.
"""

from __future__ import annotations

import random
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from monitoring.history.entities import CONTAINER
from monitoring.history.figures import MISSING
from monitoring.history.history import History
from monitoring.history.store import SPAN
from monitoring.queries.ask import parse
from monitoring.queries.embedded import Embedded
from monitoring.scraping.scraper import Scraper

NODES, PODS, EVERY = 100, 100, 15
START = 1_790_000_000 // SPAN * SPAN
FAMILIES = (
    "container_cpu_usage_seconds_total",
    "container_memory_working_set_bytes",
    "container_network_receive_bytes_total",
    "container_network_transmit_bytes_total",
    "container_fs_usage_bytes",
)


class Owners:
    """Ten pods make a Deployment, a thousand a namespace."""

    def knows(self, namespace: str, pod: str) -> bool:
        return True

    def workload(self, namespace: str, pod: str) -> str:
        return f"Deployment/web-{int(pod[4:]) // 10}"

    def restarts(self, namespace: str, pod: str) -> dict[str, int]:
        return {"app": 0}


class Node:
    """One kubelet's page, which moves."""

    def __init__(self, number: int, pods: int, rng: random.Random) -> None:
        self.name, self._rng = f"node-{number}", rng
        first = number * pods
        self._labels = [
            (f'id="/kubepods/{i}",namespace="team-{i // 1000}",pod="web-{i}"', rng.uniform(0.002, 0.2))
            for i in range(first, first + pods)
        ]
        self._state = [
            [rng.uniform(1, 9000), rng.randrange(10, 400) << 20, rng.randrange(1 << 30), rng.randrange(1 << 30), 8192]
            for _ in self._labels
        ]

    def page(self, at: int) -> bytes:
        columns: list[list[str]] = [[] for _ in FAMILIES]
        rng = self._rng
        for (labels, rate), state in zip(self._labels, self._state, strict=True):
            state[0] += rate * EVERY * rng.uniform(0.7, 1.3)
            state[1] += rng.choice((0, 0, 4096, -4096, 65536))
            state[2] += rng.choice((0, 612, rng.randrange(90_000)))
            state[3] += rng.choice((0, 540, rng.randrange(90_000)))
            stamp = f" {at * 1000 + rng.randrange(900)}\n"
            for place, column in enumerate(columns):
                container = 'container="app",' if place < 2 else 'container="",'
                column.append(
                    f"{FAMILIES[place]}{{{container}{labels}}} {state[place]:.9f}{stamp}"
                    if place == 0
                    else f"{FAMILIES[place]}{{{container}{labels}}} {state[place]}{stamp}"
                )
        return "".join(
            f"# TYPE {family} counter\n{''.join(lines)}" for family, lines in zip(FAMILIES, columns, strict=True)
        ).encode()


def main() -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return {**_ingest(Path(folder) / "large"), **_day(Path(folder) / "day")}


def _ingest(folder: Path) -> dict[str, Any]:
    history = History(folder, 8 << 30)
    rng = random.Random(1)
    nodes = [Node(i, PODS, rng) for i in range(NODES)]
    scraper = Scraper(None, Owners(), history, EVERY)  # type: ignore[arg-type]
    rounds: list[float] = []
    values = 0
    for at in range(START, START + SPAN + 2 * EVERY, EVERY):
        pages = [(node.name, node.page(at)) for node in nodes]
        started = time.process_time()
        found = [one for name, page in pages for one in scraper.read(name, page, 0)]
        scraper.keep(at * 1000, found)
        rounds.append(time.process_time() - started)
        if at < START + SPAN:
            values += sum(value != MISSING for _, _, row in found for value in row)
    closing = rounds[SPAN // EVERY] - statistics.median(rounds)
    rows = history.store._db.execute("SELECT sum(length(body)), count(*) FROM chunks").fetchone()
    rolled = history.store._db.execute("SELECT sum(length(body)) FROM rollups").fetchone()[0]
    one, many = _queries(history, START + SPAN)
    taken = sum(rounds)
    used = history.store.used()
    history.close()
    return {
        "pods": NODES * PODS,
        "values_per_round": values * EVERY // SPAN,
        "cpu_seconds_per_round_median": round(statistics.median(rounds), 3),
        "cpu_seconds_to_close_half_an_hour": round(closing, 2),
        "share_of_a_core": round(taken / (len(rounds) * EVERY), 4),
        "values_per_cpu_second": round(values / taken),
        "bytes_per_value": round(rows[0] / values, 2),
        "file_bytes_per_value": round(used / values, 2),
        "bytes_a_day_at_full_resolution": rows[0] * 86_400 // SPAN,
        "bytes_for_thirty_days_of_five_minutes": rolled * 30 * 86_400 // SPAN,
        "chunks": rows[1],
        "memory_mib_at_most": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "query_ms_one_pod_half_an_hour": one,
        "query_ms_namespace_of_1000_pods_by_workload": many,
    }


def _queries(history: History, now: int) -> tuple[float, float]:
    embedded = Embedded(history, EVERY)
    return (
        _timed(
            embedded,
            {"metric": "cpu,memory,rx,tx,fs,restarts", "namespace": "team-3", "pod": "web-3141", "range": "30m"},
            now,
        ),
        _timed(embedded, {"metric": "cpu,memory", "namespace": "team-3", "by": "workload", "range": "30m"}, now),
    )


def _timed(embedded: Embedded, query: dict[str, str], now: int) -> float:
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        embedded.answer(parse(query, now, EVERY))
        taken.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(taken), 1)


def _day(folder: Path) -> dict[str, Any]:
    """Fewer pods, for a day: what a chart of a day costs."""
    history = History(folder, 8 << 30)
    history.store._db.execute("PRAGMA synchronous = OFF")  # 5,760 rounds at once: not what is measured here
    node = Node(0, 20, random.Random(2))
    scraper = Scraper(None, Owners(), history, EVERY)  # type: ignore[arg-type]
    end = START + 86_400
    for at in range(START, end, EVERY):
        scraper.keep(at * 1000, scraper.read(node.name, node.page(at), 0))
    embedded = Embedded(history, EVERY)
    pod = {"namespace": "team-0", "pod": "web-7"}
    two = {"metric": "cpu,memory", **pod}
    found = {
        "query_ms_one_pod_a_day_two_figures": _timed(embedded, {**two, "range": "24h"}, end),
        "query_ms_one_pod_thirty_days_two_figures": _timed(embedded, {**two, "range": "30d"}, end),
        "query_ms_workload_of_10_pods_by_pod_a_day": _timed(
            embedded,
            {"metric": "cpu", "range": "24h", "namespace": "team-0", "workload": "Deployment/web-0", "by": "pod"},
            end,
        ),
    }
    assert len(history.entities(START * 1000, kind=CONTAINER)) == 20
    history.close()
    return found


if __name__ == "__main__":
    import json

    print(json.dumps(main(), indent=2), file=sys.stdout)
