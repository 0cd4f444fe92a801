"""The event recorder: counting, combining, spam, batches."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from cluster import events
from cluster.cache import Cache
from cluster.database import Database
from cluster.events import Recorder
from cluster.store import Store
from cluster.verbs import Session
from kube.events import COMBINED
from kube.objects import Json


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


def test_a_store_that_is_closed_keeps_nobody_else_from_telling(
    session: Session, tmp_path: Path, migrated: Path
) -> None:
    shutil.copy(migrated / "cluster.db", tmp_path / "other.db")
    other = Store(Database(f"sqlite:///{tmp_path}/other.db"))
    with closing(Cache(other)) as cache:
        Recorder("tester").event(Session(1, "system:admin", cache, other), pod(), "Normal", "Done", "too late")
    other.close()
    Recorder("tester").event(session, pod(), "Normal", "Done", "in time")
    events.flush()
    assert [event["message"] for event in stored(session)] == ["in time"]
