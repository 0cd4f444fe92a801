"""Wake-ups: a queue goes to a drain that waits, else to a new one, and none is lost between the two."""

from __future__ import annotations

import threading
import time
from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from controllers.wakeups import WakeUps

LONG = 3600  # seconds: who waits so long gets its queue, or the test is ended


def test_a_queue_that_nobody_waits_for_needs_a_message_and_is_taken_once(redis: Redis) -> None:
    wakeups = WakeUps(redis, "test")
    assert wakeups.add("a") and wakeups.add("b") and wakeups.add("a")
    assert [wakeups.take("one", 0), wakeups.take("two", 0), wakeups.take("one", 0)] == ["b", "a", None]


def test_a_drain_that_waits_gets_the_queue_without_a_message(redis: Redis) -> None:
    wakeups = WakeUps(redis, "test")
    got: list[str | None] = []
    drain = threading.Thread(target=lambda: got.append(wakeups.take("one", LONG)), daemon=True)
    drain.start()
    waits_for(redis, 1)
    assert not wakeups.add("a")
    drain.join()
    assert got == ["a"]
    assert wakeups.add("b"), "it waits no more: whoever works is not counted on"


def test_two_queues_go_to_two_drains(redis: Redis) -> None:
    wakeups = WakeUps(redis, "test")
    got: list[str | None] = []
    drains = [
        threading.Thread(target=lambda name=name: got.append(wakeups.take(name, LONG)), daemon=True)
        for name in ("one", "two")
    ]
    for drain in drains:
        drain.start()
    waits_for(redis, 2)
    assert not wakeups.add("a") and not wakeups.add("b") and wakeups.add("c")
    for drain in drains:
        drain.join()
    assert sorted(map(str, got)) == ["a", "b"]


def test_who_died_while_it_waited_is_not_counted_on_for_long(redis: Redis) -> None:
    now = time.time()
    wakeups = WakeUps(redis, "test", clock=lambda: now)
    redis.zadd("binnacle:wakeups:test:idle", {"dead": now * 1000 + 500})
    now += 1
    assert wakeups.add("a")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(queues=st.lists(st.sampled_from("abcde"), max_size=30), drains=st.integers(1, 4))
def test_none_is_lost_however_drains_come_and_go(redis: Redis, queues: list[str], drains: int) -> None:
    redis.flushall()
    wakeups = WakeUps(redis, "test")
    seen: Counter[str] = Counter()
    lock = threading.Lock()

    def drain(name: str) -> None:
        while queue := wakeups.take(name, 0.002):
            with lock:
                seen[queue] += 1

    running: list[threading.Thread] = []
    for number, queue in enumerate(queues):
        if wakeups.add(queue) or number < drains:
            running.append(threading.Thread(target=drain, args=(str(number),), daemon=True))
            running[-1].start()
    for thread in running:
        thread.join()
    assert set(seen) == set(queues)
    assert seen.total() <= len(queues)
    assert not redis.keys("binnacle:wakeups:test:*")


def waits_for(redis: Redis, count: int) -> None:
    deadline = time.monotonic() + 60
    while redis.zcard("binnacle:wakeups:test:idle") != count:  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.005)
