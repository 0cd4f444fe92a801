"""The event recorder: counting, combining, spam, batches."""

from __future__ import annotations

import pytest

from cluster import events
from cluster.cache import Cache
from cluster.events import COMBINED, Correlator, Happening, Recorder
from cluster.verbs import Session
from kube.objects import Json

ABOUT = {"kind": "Pod", "namespace": "default", "name": "web", "uid": "u1", "apiVersion": "v1"}


@pytest.fixture
def session(cache: Cache) -> Session:
    made = Session(1, "system:admin", cache, cache.store)
    made.create("namespaces", "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
    return made


def pod(name: str = "web") -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "resourceVersion": "7"},
    }


def stored(session: Session) -> list[Json]:
    session.cache.refresh()
    return [entry.object() for entry in session.cache.list("events")]


def happening(message: str, at: float, uid: str = "u1") -> Happening:
    return Happening("c", {**ABOUT, "uid": uid}, "Normal", "Done", message, at)


def test_an_event_says_who_what_and_when(session: Session) -> None:
    Recorder("tester").event(session, pod(), "Warning", "Failed", "It broke")
    events.flush()
    (event,) = stored(session)
    assert event["involvedObject"] == {
        "kind": "Pod",
        "namespace": "default",
        "name": "web",
        "uid": "uid-web",
        "apiVersion": "v1",
        "resourceVersion": "7",
    }
    assert (event["type"], event["reason"], event["message"], event["count"]) == ("Warning", "Failed", "It broke", 1)
    assert event["source"] == {"component": "tester"} and event["reportingComponent"] == "tester"
    assert event["firstTimestamp"] == event["lastTimestamp"]
    prefix, _, suffix = event["metadata"]["name"].partition(".")
    assert prefix == "web" and len(suffix) == 16


def test_the_same_again_raises_the_count(session: Session) -> None:
    recorder = Recorder("tester")
    for _ in range(3):
        recorder.event(session, pod(), "Normal", "Done", "again")
        events.flush()
        session.cache.refresh()
    (event,) = stored(session)
    assert event["count"] == 3


def test_an_event_that_was_deleted_is_written_anew(session: Session) -> None:
    recorder = Recorder("tester")
    recorder.event(session, pod(), "Normal", "Done", "once")
    events.flush()
    session.delete("events", "default", stored(session)[0]["metadata"]["name"])
    recorder.event(session, pod(), "Normal", "Done", "once")
    events.flush()
    (event,) = stored(session)
    assert event["count"] == 2


def test_a_burst_costs_a_few_commits_and_few_objects(session: Session) -> None:
    before = session.store.revision()
    recorder = Recorder("tester")
    for number in range(1000):
        recorder.event(session, pod("many"), "Normal", "SuccessfulCreate", f"Created pod: p{number}")
    events.flush()
    found = stored(session)
    assert len(found) <= 10 and session.store.revision() - before <= 30
    combined = [event for event in found if event["message"].startswith(COMBINED)]
    assert len(combined) == 1
    assert sum(event["count"] for event in found) == 25, "what is more is spam"


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
    assert len(correlator._series) == len(correlator._buckets) == len(correlator._similar) == 50
