"""Answers of the embedded history: the whole and its parts, pods that are gone, the month, bounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitoring.history.entities import CONTAINER, Entity
from monitoring.history.figures import CPU, MEMORY, NOTHING
from monitoring.history.head import Sample
from monitoring.history.history import History
from monitoring.history.store import SPAN
from monitoring.queries import embedded as module
from monitoring.queries.ask import AskError, parse
from monitoring.queries.embedded import Embedded
from tests.monitoring import cluster

START = 1_800_000_000 // SPAN * SPAN


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = History(tmp_path, 1 << 30)
    yield made
    made.close()


def answer(history: History, now: float = START + 1200, **query: str) -> dict[str, Any]:
    return Embedded(history, 15).answer(parse({"metric": "cpu,memory", "range": "15m", **query}, now, 15))


def test_parts_and_the_rest_make_the_whole(history: History) -> None:
    cluster.record(history, START, 1200)
    found = answer(history, namespace="shop", by="pod", top="2")["figures"]["memory"]
    assert [one["labels"] for one in found["series"]] == [
        {"namespace": "shop", "pod": "web-2"},
        {"namespace": "shop", "pod": "web-1"},
    ]
    for whole, one, two, other in zip(
        found["total"], *(s["values"] for s in found["series"]), found["other"], strict=True
    ):
        if whole is not None:
            assert abs(one + two + other - whole) < 1e-4 * whole


def test_pods_of_no_workload_are_the_others(history: History) -> None:
    cluster.record(history, START, 1200)
    found = answer(history, namespace="shop", by="workload")["figures"]["cpu"]
    assert [one["labels"]["workload"] for one in found["series"]] == ["Deployment/web", "StatefulSet/db"]
    assert max(filter(None, found["other"])) > 0
    assert answer(history, namespace="bank", by="workload")["figures"]["cpu"]["other"] is None


def test_a_container_that_started_anew_makes_no_spike(history: History) -> None:
    cluster.record(history, START, 1500)
    values = answer(history, START + 1500, namespace="shop", pod="web-2")["figures"]["cpu"]["total"]
    assert max(filter(None, values)) < 0.65  # of a rate between 0.2 and 0.6 cores


def test_the_whole_of_a_pod_stays_when_it_is_gone(history: History) -> None:
    number = history.number([Entity(CONTAINER, "n1", "shop", "Job/once", "once-1", "app")], START * 1000).popitem()[1]
    row = list(NOTHING)
    for i in range(4):
        row[CPU], row[MEMORY] = i * 15_000_000, 7
        history.add((START + i * 15) * 1000, [Sample(number, (START + i * 15) * 1000, tuple(row))])
    values = answer(history, START + 600, namespace="shop", pod="once-1")["figures"]["cpu"]["total"]
    assert [value for value in values if value is not None] == [1.0] * 3
    later = answer(history, START + 9 * SPAN, namespace="shop", pod="once-1", range="6h")
    assert set(later["figures"]["memory"]["total"]) == {None, 7.0}


def test_the_month_is_answered_from_five_minute_figures(history: History) -> None:
    cluster.record(history, START, 2 * SPAN)
    now = START + 2 * SPAN
    fine = answer(history, now, namespace="shop", range="6h", step="1500")
    coarse = answer(history, now, namespace="shop", range="7d")
    assert coarse["step"] == fine["step"] == 1500 and len(coarse["times"]) <= 500
    for metric in ("cpu", "memory"):
        a, b = ([v for v in one["figures"][metric]["total"] if v is not None] for one in (fine, coarse))
        assert len(a) == len(b) == 3
        assert all(abs(x - y) < 0.02 * x for x, y in zip(a, b, strict=True)), (a, b)


def test_too_much_at_once_is_refused_with_a_way_out(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.record(history, START, 300)
    monkeypatch.setattr(module, "MOST", 100)
    with pytest.raises(AskError, match="range: 5 series of that length are too many at once: write a shorter range"):
        answer(history, START + 300, namespace="shop", by="pod")


def test_nothing_known_is_nothing_said(history: History) -> None:
    found = answer(history, namespace="nowhere")
    assert (
        found["newest"] == 0
        and set(found["figures"]["cpu"]["total"]) == {None}
        and not found["figures"]["cpu"]["series"]
    )
