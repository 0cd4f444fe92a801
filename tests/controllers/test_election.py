"""The lead: one holds it, and a successor has it when the holder ends, dies, or is not heard of."""

from __future__ import annotations

import subprocess
import time

import pytest
from redis import Redis

from controllers.election import Election, lives, place, worker_id


def stand(redis: Redis, worker: str, seconds: float = 60) -> Election:
    return Election(redis, "test", worker, seconds)


@pytest.fixture
def dead() -> str:
    """The id of a process of this host that has ended."""
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    return f"{place()}:{ended.pid}:00000000"


def test_one_leads_until_it_resigns(redis: Redis) -> None:
    one, two = stand(redis, worker_id()), stand(redis, worker_id())
    assert one.campaign() and not two.campaign() and one.campaign()
    two.resign()
    assert not two.campaign(), "only the holder can give it up"
    one.resign()
    assert two.campaign() and not one.campaign()


def test_a_dead_process_of_this_host_is_succeeded_at_once_and_one_elsewhere_is_waited_for(
    redis: Redis, dead: str
) -> None:
    assert not lives(dead)
    assert stand(redis, dead).campaign() and stand(redis, worker_id()).campaign()
    redis.flushall()
    elsewhere = f"elsewhere/1:{dead.split(':')[1]}:00000000"
    assert stand(redis, elsewhere).campaign() and not stand(redis, worker_id()).campaign()


def test_who_is_not_heard_of_loses_the_lead(redis: Redis) -> None:
    silent, heir = stand(redis, worker_id(), 0.1), stand(redis, worker_id())
    assert silent.campaign()
    deadline = time.monotonic() + 60
    while not heir.campaign():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not silent.campaign()
