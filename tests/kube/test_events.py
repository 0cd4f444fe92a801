"""The correlator of events: what is counted, combined and dropped as spam."""

from __future__ import annotations

import pytest

from kube import events
from kube.events import COMBINED, Correlator, Happening

ABOUT = {"kind": "Pod", "namespace": "default", "name": "web", "uid": "u1", "apiVersion": "v1"}


def happening(message: str, at: float, uid: str = "u1") -> Happening:
    return Happening("c", {**ABOUT, "uid": uid}, "Normal", "Done", message, at)


def test_nine_messages_stay_apart_the_tenth_is_combined() -> None:
    correlator = Correlator()
    results = [correlator.correlate(happening(f"m{number}", 1000.0 + number)) for number in range(12)]
    messages = [result[0].message for result in results if result]
    assert messages == [*(f"m{n}" for n in range(9)), *(f"{COMBINED}m{n}" for n in (9, 10, 11))]
    assert results[9] is not None and results[11] is not None and results[11][1] is results[9][1]


def test_similar_events_long_apart_are_not_combined() -> None:
    correlator = Correlator()
    for number in range(12):
        result = correlator.correlate(happening(f"m{number}", 1000.0 + number * 700))
        assert result is not None and result[0].message == f"m{number}"


def test_one_object_gets_so_many_at_once_and_one_more_every_five_minutes() -> None:
    correlator = Correlator()
    passed = [correlator.correlate(happening("m", 1000.0)) for _ in range(40)]
    assert sum(result is not None for result in passed) == 25
    assert correlator.correlate(happening("m", 1000.0, uid="another")) is not None
    assert correlator.correlate(happening("m", 1200.0)) is None
    assert correlator.correlate(happening("m", 1301.0)) is not None


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MEMORY", 50)
    correlator = Correlator()
    for number in range(500):
        correlator.correlate(happening("m", 1000.0, uid=str(number)))
    assert len(correlator._series) == len(correlator._spam) == len(correlator._similar) == 50


def test_an_event_of_a_nodes_program_names_the_node() -> None:
    found = Correlator().correlate(happening("m", 1000.0)._replace(host="node-1"))
    assert found is not None
    made = events.event(*found)
    assert made["source"] == {"component": "c", "host": "node-1"} and made["reportingInstance"] == "node-1"
    assert made["metadata"]["namespace"] == "default" and made["involvedObject"] == ABOUT
