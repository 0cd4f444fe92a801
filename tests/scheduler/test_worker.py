"""Several schedulers: one schedules, the next takes over, and an error is begun anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from cluster.cache import Cache
from cluster.store import Store
from cluster.verbs import Session
from controllers.election import Election, worker_id
from scheduler.worker import Turns
from tests.controllers.conftest import RedisServer, redis, redis_server  # noqa: F401
from tests.scheduler.test_service import get, put_nodes, put_pod

from tests.scheduler import build  # isort: skip

LEASE = 1.0


@pytest.fixture
def session(store: Store, cache: Cache) -> Session:
    made = Session(1, "system:admin", cache, store)
    made.create("namespaces", "", {"metadata": {"name": "default"}})
    made.create("serviceaccounts", "default", {"metadata": {"name": "default"}})
    put_nodes(made, build.node("a"))
    return made


@pytest.fixture
def start(session: Session, redis: Redis) -> Iterator[Callable[[], Turns]]:  # noqa: F811
    made: list[Turns] = []

    def start() -> Turns:
        made.append(Turns(session, session.cache, Election(redis, "scheduler", worker_id(), LEASE)))
        made[-1].start()
        return made[-1]

    yield start
    for turns in made:
        turns.stop()


def eventually(check: Callable[[], Any], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.005)


def node_of(session: Session, name: str) -> str:
    found: str = get(session, name)["spec"].get("nodeName", "")
    return found


def test_a_pod_is_bound_at_once_though_the_turns_are_rare(session: Session, start: Callable[[], Turns]) -> None:
    turns = start()
    eventually(lambda: turns.leads)
    times = []
    for number in range(10):
        began = time.monotonic()
        put_pod(session, f"web-{number}")
        eventually(lambda number=number: node_of(session, f"web-{number}") == "a")  # type: ignore[misc]
        times.append(time.monotonic() - began)
    assert sorted(times)[2] < 0.4, "woken by the pod, not by the pulse"


def test_one_schedules_and_the_next_takes_over(session: Session, start: Callable[[], Turns]) -> None:
    first = start()
    eventually(lambda: first.leads)
    second = start()
    eventually(lambda: second.age < 0.1)
    assert first.leads and not second.leads
    first.stop()
    eventually(lambda: second.leads)
    put_pod(session, "web")
    eventually(lambda: node_of(session, "web") == "a")


def test_who_hangs_loses_the_lead_and_says_so(
    session: Session, start: Callable[[], Turns], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start()
    eventually(lambda: first.leads)
    going_on: list[bool] = []

    def hang(seconds: float) -> None:
        eventually(lambda: going_on)

    assert first._scheduler is not None
    monkeypatch.setattr(first._scheduler, "run", hang)
    eventually(lambda: first.age > 0.7)
    second = start()
    eventually(lambda: second.leads)
    going_on.append(True)
    eventually(lambda: not first.leads)


def test_after_an_error_it_begins_anew_with_what_the_cache_has(
    session: Session, start: Callable[[], Turns], monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = start()
    eventually(lambda: turns.leads)
    bind, failures = session.bind_many, [2]

    def fail(bindings: Any) -> Any:
        if failures[0]:
            failures[0] -= 1
            raise OSError("the disk is full")
        return bind(bindings)

    monkeypatch.setattr(session, "bind_many", fail)
    put_pod(session, "web")
    eventually(lambda: node_of(session, "web") == "a")
    assert not failures[0]


def test_redis_away_and_back(session: Session, start: Callable[[], Turns], redis_server: RedisServer) -> None:  # noqa: F811
    turns = start()
    eventually(lambda: turns.leads)
    redis_server.kill()
    eventually(lambda: not turns.leads)
    put_pod(session, "web")
    redis_server.start()
    eventually(lambda: node_of(session, "web") == "a")
