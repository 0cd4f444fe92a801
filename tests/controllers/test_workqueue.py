"""The work queue on a real redis-server: against a simple model, and the promises it makes one by one."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from redis import Redis

from controllers.workqueue import Backoff, Outcome, WorkQueue, drop_lease, hold_lease, workers


class Clock:
    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def __call__(self) -> float:
        return self.time


def make(redis: Redis, worker: str = "w", **options: object) -> WorkQueue:
    return WorkQueue(redis, "q", worker, **options)  # type: ignore[arg-type]


def keys_of(queue: WorkQueue, maximum: int = 100) -> list[str]:
    return [item.key for item in queue.get(maximum).items]


def test_a_key_added_many_times_is_taken_once(redis: Redis) -> None:
    queue = make(redis)
    assert queue.add(["a", "b", "a"]).added == 2
    assert queue.add(["a"]).added == 0
    assert sorted(keys_of(queue)) == ["a", "b"]
    assert keys_of(queue) == []


def test_a_key_added_while_processed_comes_once_more_and_never_at_once(redis: Redis) -> None:
    queue = make(redis)
    queue.add(["a"])
    batch = queue.get(10)
    queue.add(["a"])
    queue.add(["a"])
    assert keys_of(queue) == []
    queue.done(batch.token, [Outcome("a")])
    assert keys_of(queue) == ["a"]


def test_older_keys_and_higher_priorities_come_first(redis: Redis) -> None:
    clock = Clock()
    queue = make(redis, clock=clock)
    for key, priority in (("resync", -100), ("old", 0), ("new", 0), ("urgent", 5)):
        clock.time += 1
        queue.add([key], priority)
    queue.add(["resync"], 10)
    assert keys_of(queue) == ["resync", "urgent", "old", "new"]


def test_waiting_time_is_told_whatever_the_priority(redis: Redis) -> None:
    clock = Clock()
    queue = make(redis, clock=clock)
    queue.add(["low"], -100)
    queue.add(["high"], 100)
    clock.time += 2
    waits = [item.waited for item in queue.get(5).items]
    assert all(abs(waited - 2) < 0.01 for waited in waits)


def test_requeue_after_and_the_earliest_delay_counts(redis: Redis) -> None:
    clock = Clock()
    queue = make(redis, clock=clock)
    queue.add(["a"])
    queue.done(queue.get(1).token, [Outcome("a", after=10)])
    queue.add(["a"])
    queue.done(queue.get(1).token, [Outcome("a", after=4)])
    assert queue.poll().due == clock.time + 4
    clock.time += 5
    assert keys_of(queue) == ["a"]


def test_back_off_doubles_to_the_cap_and_success_resets_it(redis: Redis) -> None:
    clock = Clock()
    queue = make(redis, clock=clock, backoff=Backoff(base=1, cap=3, jitter=0.5))
    queue.add(["a"])
    for count, low in ((1, 1), (2, 2), (3, 3), (4, 3)):
        batch = queue.get(1)
        assert queue.done(batch.token, [Outcome("a", failed=True)]) == [count]
        due = queue.poll().due
        assert due is not None and low <= due - clock.time <= low * 1.5
        clock.time = due + 0.001
    batch = queue.get(1)
    assert queue.done(batch.token, [Outcome("a")]) == [0]
    assert redis.hgetall("binnacle:queue:q:failures") == {}


def test_keys_of_a_dead_worker_are_recovered_once_its_lease_is_gone(redis: Redis) -> None:
    one, two = make(redis, "one"), make(redis, "two")
    hold_lease(redis, "one", 5)
    one.add(["a", "b"])
    lost = one.get(2)
    assert two.recover() == 0
    drop_lease(redis, "one")
    assert workers(redis) == set()
    assert two.recover() == 2
    assert sorted(keys_of(two)) == ["a", "b"]
    one.done(lost.token, [Outcome("a")])
    two.add(["a"])
    assert keys_of(two) == [], "the late answer of the old holder must not free the key of the new one"


def test_an_abandoned_batch_of_this_worker_is_recovered(redis: Redis) -> None:
    queue = make(redis)
    hold_lease(redis, "w", 5)
    queue.add(["a"])
    token = queue.get(1).token
    assert queue.recover() == 0
    queue._under_way.discard(token)  # what a failed `done` leaves behind
    assert queue.recover() == 1
    assert keys_of(queue) == ["a"]


def test_a_batch_taken_while_recovery_looks_is_not_taken_back(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = make(redis)
    hold_lease(redis, "w", 5)
    queue.add(["a"])
    before = queue.under_way()
    queue.get(1)
    monkeypatch.setattr(queue, "under_way", lambda: before)
    assert queue.recover() == 0


def test_only_one_wake_up_until_the_queue_was_found_empty(redis: Redis) -> None:
    queue = make(redis)
    assert queue.add(["a"]).wake
    assert not queue.add(["b"]).wake
    batch = queue.get(10)
    queue.done(batch.token, [Outcome("a"), Outcome("b")])
    assert not queue.add(["c"]).wake, "the drainer is still at it"
    queue.done(queue.get(10).token, [Outcome("c")])
    assert queue.get(10).items == []
    assert queue.add(["d"]).wake


def test_a_lost_wake_up_is_sent_again_by_the_poll(redis: Redis) -> None:
    queue = make(redis, wake_ttl=600)
    queue.add(["a"])
    assert not queue.poll().wake
    assert 0 < redis.pttl("binnacle:queue:q:wake") <= 600_000
    redis.delete("binnacle:queue:q:wake")  # as if its time were over
    assert queue.poll().wake


def test_a_key_that_keeps_changing_pauses_and_the_drain_waits_for_it(redis: Redis) -> None:
    clock = Clock()
    queue = make(redis, clock=clock)
    queue.add(["a"])
    batch = queue.get(1)
    queue.add(["a"])
    queue.done(batch.token, [Outcome("a")], pause=0.05)
    empty = queue.get(1, horizon=0.1)
    assert empty.items == [] and empty.due is not None and abs(empty.due - clock.time - 0.05) < 0.001
    assert not queue.add(["b"]).wake, "whoever drains has promised to come again"
    clock.time += 0.051
    assert sorted(keys_of(queue)) == ["a", "b"]


def test_the_bound_refuses_and_tells(redis: Redis) -> None:
    queue = make(redis, limit=3)
    assert queue.add(["a", "b", "c", "d", "e"])[:2] == (3, 2)
    assert len(keys_of(queue)) == 3


KEYS = st.sampled_from(["a", "b", "c", "d"])


class Model(RuleBasedStateMachine):
    """The queue against sets: what is ready, what is held, what came again, what waits, who failed how often."""

    client: Redis
    taken = 0  # keys, over all runs

    @initialize()
    def begin(self) -> None:
        self.client.flushall()
        self.clock = Clock()
        self.queue = make(self.client, clock=self.clock, backoff=Backoff(base=1, cap=8, jitter=0))
        hold_lease(self.client, "w", 60)
        self.ready: set[str] = set()
        self.again: set[str] = set()
        self.held: dict[str, str] = {}
        self.delayed: dict[str, float] = {}
        self.failures: dict[str, int] = {}

    def _add(self, key: str) -> None:
        (self.again if key in self.held else self.ready).add(key)

    def _promote(self) -> None:
        for key in [key for key, due in self.delayed.items() if due <= self.clock.time]:
            del self.delayed[key]
            self._add(key)

    def _later(self, key: str, delay: float) -> None:
        due = self.clock.time + delay
        self.delayed[key] = min(due, self.delayed.get(key, due))

    @rule(keys=st.lists(KEYS, max_size=5))
    def add(self, keys: list[str]) -> None:
        self.queue.add(keys)
        for key in keys:
            self._add(key)

    @rule(maximum=st.integers(1, 4))
    def get(self, maximum: int) -> None:
        self._promote()
        batch = self.queue.get(maximum)
        taken = {item.key for item in batch.items}
        assert len(taken) == len(batch.items) == min(maximum, len(self.ready))
        assert taken <= self.ready and not taken & self.held.keys()
        type(self).taken += len(taken)
        self.ready -= taken
        self.held.update(dict.fromkeys(taken, batch.token))

    @rule(key=KEYS, failed=st.booleans(), after=st.none() | st.integers(0, 5))
    def done(self, key: str, failed: bool, after: int | None) -> None:
        token = self.held.get(key)
        if token is None:
            return
        others = [name for name, held in self.held.items() if held == token and name != key]
        counts = self.queue.done(token, [Outcome(key, failed, after), *(Outcome(name) for name in others)])
        for name in (key, *others):
            del self.held[name]
            if name in self.again:
                self.again.discard(name)
                self.ready.add(name)
            if name != key or not failed:
                self.failures.pop(name, None)
        if failed:
            self.failures[key] = self.failures.get(key, 0) + 1
            self._later(key, min(2 ** (self.failures[key] - 1), 8))
        elif after is not None:
            self._later(key, after)
        assert counts[0] == self.failures.get(key, 0)

    @rule(seconds=st.integers(1, 6))
    def wait(self, seconds: int) -> None:
        self.clock.time += seconds

    @rule()
    def the_worker_dies(self) -> None:
        drop_lease(self.client, "w")
        assert make(self.client, "other", clock=self.clock).recover() == len(self.held)
        hold_lease(self.client, "w", 60)
        self.ready |= self.held.keys() | self.again
        self.again.clear()
        self.held.clear()

    @invariant()
    def sizes_agree(self) -> None:
        if not hasattr(self, "ready"):
            return
        state = self.queue.poll()
        assert state[2:] == (len(self.ready), len(self.again), len(self.held), len(self.delayed))


def test_the_queue_behaves_like_its_model(redis: Redis) -> None:
    Model.client, Model.taken = redis, 0
    run_state_machine_as_test(
        Model, settings=settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    )
    assert Model.taken > 0, "the runs never took a key: they compared nothing"
