"""The embedded history and a real Prometheus answer the same questions about the same samples alike."""

from __future__ import annotations

import asyncio
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitoring.history.history import History
from monitoring.queries.answer import BackendError
from monitoring.queries.ask import parse
from monitoring.queries.embedded import Embedded
from monitoring.queries.prometheus import Prometheus
from tests.monitoring import cluster
from tests.ports import free_port
from tests.prepare import needs

SECONDS = 3000
START = (int(time.time()) - 4000) // 1800 * 1800
WINDOW = {"from": str(START + 300), "to": str(START + SECONDS - 300)}
QUESTIONS: list[dict[str, str]] = [
    {"metric": "cpu,memory,rx,tx,restarts", "namespace": "shop", "pod": "web-2", "by": "container"},
    {"metric": "cpu,memory,fs,rx,tx,restarts", "namespace": "shop", "pod": "web-1"},
    {"metric": "cpu,memory,rx,tx,restarts", "namespace": "shop", "workload": "Deployment/web", "by": "pod"},
    {"metric": "cpu,memory", "namespace": "shop", "workload": "StatefulSet/db", "by": "pod", "step": "60"},
    {"metric": "cpu,memory,rx,tx,restarts", "namespace": "shop", "by": "workload", "step": "60"},
    {"metric": "cpu,memory", "namespace": "shop", "by": "pod", "top": "2"},
    {"metric": "cpu,memory,rx,tx,fs", "node": "n2", "by": "pod"},
    {"metric": "cpu,memory,rx,tx", "by": "node", "step": "120"},
    {"metric": "cpu,memory,restarts", "by": "namespace", "step": "60"},
    {"metric": "memory", "namespace": "shop", "pod": "web-1", "stat": "max", "step": "300"},
]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    history = History(tmp_path_factory.mktemp("history"), 1 << 30)
    cluster.record(history, START, SECONDS)
    yield Embedded(history, cluster.EVERY)
    history.close()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus over blocks made of the same samples; it scrapes nothing."""
    needs("prometheus", "promtool")
    folder = tmp_path_factory.mktemp("prometheus")
    cluster.write_openmetrics(folder / "samples.txt", START, SECONDS)
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", "samples.txt", "data"],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (folder / "prometheus.yml").write_text("{}")
    process, url = _started(folder)
    yield Prometheus(url, cluster.EVERY)
    process.kill()
    process.wait()


def _started(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    for _ in range(3):  # a port that was free may be taken a moment later
        port = free_port()
        process = subprocess.Popen(
            [
                "prometheus",
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            cwd=folder,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5).close()
                return process, f"http://127.0.0.1:{port}"
            except OSError:
                time.sleep(0.1)
        process.kill()
        process.wait()
    raise AssertionError("Prometheus does not start")


def lines(answer: dict[str, Any]) -> dict[tuple[str, ...], list[float | None]]:
    """Every line of an answer by figure and name."""
    found = {}
    for name, one in answer["figures"].items():
        found[name, "total"] = one["total"]
        found.update({(name, *series["labels"].values()): series["values"] for series in one["series"]})
        if one["other"]:
            found[name, "other"] = one["other"]
    return found


def average(values: list[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / max(len(known), 1)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: "-".join(f"{k}:{v}" for k, v in q.items()))
def test_both_agree_within_two_per_cent(question: dict[str, str], embedded: Embedded, prometheus: Prometheus) -> None:
    asked = parse({**question, **WINDOW}, time.time(), cluster.EVERY)
    ours, theirs = embedded.answer(asked), asyncio.run(prometheus.answer(asked))
    assert ours["times"] == theirs["times"] and ours["step"] == theirs["step"]
    mine, other = lines(ours), lines(theirs)
    assert mine.keys() == other.keys() and len(mine) >= len(asked.metrics)
    for name, values in mine.items():
        a, b = average(values), average(other[name])
        assert abs(a - b) <= 0.02 * max(abs(a), abs(b)), (name, a, b)
        assert sum(value is not None for value in values) >= len(values) - 2, name


def test_a_prometheus_that_is_away_is_said() -> None:
    asked = parse({"metric": "cpu", "range": "1h"}, time.time(), 15)
    with pytest.raises(BackendError, match="does not answer"):
        asyncio.run(Prometheus(f"http://127.0.0.1:{free_port()}", 15).answer(asked))
