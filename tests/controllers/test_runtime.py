"""Feeder, queue, drain and ticker together: everything converges, whatever is killed."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from redis import Redis, RedisError

from cluster.cache import Cache
from cluster.store import Key, Write
from controllers import metrics, runtime
from controllers.election import place, worker_id
from controllers.feeder import Feeder
from controllers.runtime import Context, Controller, Outcomes, Result, Runtime, Terminal, Watch, own_key, split_key
from controllers.ticker import Ticker
from controllers.workqueue import Backoff, WorkQueue, hold_lease
from kube.errors import NotFound
from tests.controllers.conftest import RedisServer


class Copier(Controller):
    """Remembers the value of every object it is asked about; fails and waits on demand."""

    name = "copier"
    watches = (Watch("configmaps", own_key),)

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}
        self.calls: list[str] = []
        self.times: list[float] = []  # of the calls, in seconds of the monotonic clock
        self.at_once: set[str] = set()
        self.twice: list[str] = []  # keys that were taken while they were in work
        self.fail: Callable[[str], None] = lambda key: None
        self.answer: Result = None

    def reconcile(self, key: str, ctx: Context) -> Result:
        if key in self.at_once:  # to raise here would count as a failure that is tried again
            self.twice.append(key)
        self.at_once.add(key)
        try:
            self.calls.append(key)
            self.times.append(time.monotonic())
            self.fail(key)
            entry = ctx.cache.get(Key("configmaps", *split_key(key)))
            if entry is None:
                self.seen.pop(key, None)
            else:
                self.seen[key] = entry.object()["data"]["v"]
            return self.answer
        finally:
            self.at_once.discard(key)


class Worker:
    """A worker process in miniature: the wake-up starts a thread that drains."""

    def __init__(self, redis: Redis, cache: Cache, controller: Controller, name: str = "") -> None:
        self.worker = name or worker_id()
        self.awake = True
        self.runtime = Runtime(
            [controller],
            lambda queue: WorkQueue(redis, queue, self.worker, backoff=Backoff(0.01, 0.05)),
            lambda _: Context(None, cache),
            self.wake,
        )
        self.feeder = Feeder(self.runtime, cache)
        self.ticker = Ticker(redis, "test", self.worker, self.runtime, self.feeder)

    def wake(self, queue: str) -> None:
        if self.awake:
            threading.Thread(target=self.drain, args=(queue,), daemon=True).start()

    def drain(self, queue: str) -> None:
        with contextlib.suppress(RedisError):  # as the Celery task does
            self.runtime.drain(queue)

    def start(self) -> Worker:
        self.feeder.start()
        self.ticker.start()
        return self


@pytest.fixture
def copier() -> Copier:
    return Copier()


@pytest.fixture
def worker(redis: Redis, cache: Cache, copier: Copier) -> Iterator[Worker]:
    made = Worker(redis, cache, copier).start()
    yield made
    made.ticker.stop()
    made.feeder.stop()


def put(cache: Cache, name: str, value: str) -> None:
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": {"v": value},
    }
    key = Key("configmaps", "default", name)
    cache.store.write(Write("update" if cache.get(key) else "create", key, body, None))


def eventually(check: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.005)


def test_each_change_reaches_the_reconcile(worker: Worker, cache: Cache, copier: Copier) -> None:
    for number in range(20):
        put(cache, "a", str(number))
        eventually(lambda number=number: copier.seen.get("default/a") == str(number))  # type: ignore[misc]


def test_objects_from_before_the_start_and_deletions_are_seen(redis: Redis, cache: Cache, copier: Copier) -> None:
    for number in range(30):
        put(cache, f"c{number}", "x")
    worker = Worker(redis, cache, copier).start()
    eventually(lambda: len(copier.seen) == 30)
    key = Key("configmaps", "default", "c7")
    entry = cache.get(key)
    assert entry is not None
    cache.store.write(Write("delete", key, entry.object(), None))
    eventually(lambda: "default/c7" not in copier.seen)
    worker.ticker.stop()
    worker.feeder.stop()


def test_failures_are_tried_again_and_terminal_ones_are_not(redis: Redis, cache: Cache, copier: Copier) -> None:
    left = [3]

    def fail(key: str) -> None:
        if key.endswith("never"):
            raise Terminal("of no use")
        left[0] -= 1
        if left[0] > 0:
            raise RuntimeError("not yet")

    copier.fail = fail
    put(cache, "never", "x")
    put(cache, "later", "x")
    worker = Worker(redis, cache, copier)  # not started: a resync beside the change would count twice
    worker.awake, runtime = False, worker.runtime
    runtime.add("copier", ["default/never", "default/later"])
    eventually(lambda: runtime.drain("copier") == 0 and copier.seen == {"default/later": "x"})
    assert copier.calls.count("default/never") == 1 and copier.calls.count("default/later") == 3
    state = runtime.queues["copier"].poll()
    assert (state.ready, state.again, state.processing, state.delayed) == (0, 0, 0, 0)


def test_what_fails_for_ever_is_logged_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "controllers.runtime")
    for count in range(1, 61):
        runtime._tell("w", "gone", NotFound("pods", "gone"), count)
        runtime._tell("w", "odd", ValueError("odd"), count)
    told = [(record.levelname, record.message) for record in caplog.records if record.levelno > logging.DEBUG]
    assert [level for level, message in told if "gone" in message] == ["WARNING"] * 5
    assert [level for level, message in told if "odd" in message] == ["ERROR"] + ["WARNING"] * 5


def test_a_result_brings_the_key_back(worker: Worker, cache: Cache, copier: Copier) -> None:
    """After that time, again and again; beside the change a resync may ask for it, too, so the first calls may be close."""
    copier.answer = 0.15
    put(cache, "a", "x")
    eventually(lambda: sum(later - call > 0.14 for call, later in pairwise(copier.times)) >= 3, seconds=60)
    assert set(copier.calls) == {"default/a"}


def test_redis_killed_and_back_empty_is_filled_again(
    worker: Worker, cache: Cache, copier: Copier, redis_server: RedisServer
) -> None:
    put(cache, "a", "1")
    eventually(lambda: copier.seen.get("default/a") == "1")
    redis_server.kill()
    put(cache, "a", "2")
    put(cache, "b", "2")
    time.sleep(0.1)
    redis_server.start()
    eventually(lambda: copier.seen == {"default/a": "2", "default/b": "2"})
    assert copier.calls.count("default/a") >= 2, "what changed while Redis was away was reconciled again"


def test_keys_of_a_killed_worker_are_done_by_the_next(redis: Redis, cache: Cache, copier: Copier) -> None:
    hung = threading.Event()

    class Hanging(Copier):
        def reconcile(self, key: str, ctx: Context) -> Result:
            hung.set()
            threading.Event().wait()
            return None

    dead = Worker(redis, cache, Hanging(), f"{place()}:999999:00000000")
    hold_lease(redis, dead.worker, 60)
    dead.feeder.start()
    dead.feeder.lead(True)
    put(cache, "a", "x")
    assert hung.wait(60)
    dead.feeder.lead(False)
    redis.set("binnacle:lead:feeder:test", dead.worker)  # it led, and its pid is nobody's
    heir = Worker(redis, cache, copier).start()
    eventually(lambda: copier.seen == {"default/a": "x"})
    heir.ticker.stop()
    heir.feeder.stop()


def test_only_one_feeds_and_the_other_takes_over(redis: Redis, cache: Cache, copier: Copier) -> None:
    first = Worker(redis, cache, copier).start()
    eventually(lambda: first.feeder._leading)
    second = Worker(redis, cache, copier).start()
    time.sleep(0.7)
    assert not second.feeder._leading
    first.ticker.stop()
    first.feeder.lead(False)
    eventually(lambda: second.feeder._leading)
    put(cache, "a", "x")
    eventually(lambda: copier.seen == {"default/a": "x"})
    for worker in (first, second):
        worker.feeder.stop()
    second.ticker.stop()


def test_a_lost_wake_up_is_made_up_for(worker: Worker, cache: Cache, copier: Copier, redis: Redis) -> None:
    put(cache, "a", "1")
    eventually(lambda: copier.seen == {"default/a": "1"})
    worker.awake = False
    put(cache, "a", "2")
    time.sleep(0.1)
    worker.awake = True
    redis.delete("binnacle:queue:copier:wake")  # as if its five seconds were over
    eventually(lambda: copier.seen == {"default/a": "2"})
    assert copier.calls.count("default/a") >= 2, "reconciled again, for the change that nobody was woken for"


def test_a_full_queue_is_resynced_once_there_is_room(worker: Worker, cache: Cache, copier: Copier) -> None:
    worker.runtime.queues["copier"]._limit = 1
    worker.awake = False
    for number in range(5):
        put(cache, f"c{number}", "x")
    time.sleep(0.2)
    worker.runtime.queues["copier"]._limit = 100
    worker.awake = True
    worker.wake("copier")
    eventually(lambda: len(copier.seen) >= 5)
    assert copier.seen == {f"default/c{number}": "x" for number in range(5)}, "each, though the queue refused most"


def test_many_keys_come_in_batches(worker: Worker, cache: Cache) -> None:
    sizes: list[int] = []

    class Batcher(Controller):
        name, watches, batch = "batcher", (), 50

        def reconcile_many(self, keys: Sequence[str], ctx: Context) -> Outcomes:
            sizes.append(len(keys))
            return {}

    batcher = Batcher()
    other = Worker(worker.ticker._redis, cache, batcher)
    other.awake = False
    other.runtime.add("batcher", [str(n) for n in range(120)])
    assert other.runtime.drain("batcher") == 120
    assert sizes == [50, 50, 20]


def test_metrics_have_the_names_of_kubernetes(redis: Redis, cache: Cache, copier: Copier) -> None:
    put(cache, "a", "1")
    worker = Worker(redis, cache, copier)  # not started: a resync beside the change would count twice
    worker.awake, runtime = False, worker.runtime
    runtime.add("copier", ["default/a"])
    assert runtime.drain("copier") == 1
    runtime.durations["copier"].flush(redis, "copier")
    lines = metrics.render(redis, {"copier": "copier"}, runtime.durations).decode().splitlines()
    assert 'workqueue_adds_total{name="copier"} 1' in lines
    assert 'workqueue_depth{name="copier"} 0' in lines
    assert 'workqueue_retries_total{name="copier"} 0' in lines
    assert 'workqueue_work_duration_seconds_count{name="copier"} 1' in lines
    assert any(line.startswith('workqueue_queue_duration_seconds_bucket{name="copier",le="+Inf"}') for line in lines)


def test_two_workers_share_the_keys_and_never_have_one_at_once(redis: Redis, cache: Cache, copier: Copier) -> None:
    copier.fail = lambda key: time.sleep(0.001)
    both = [Worker(redis, cache, copier).start() for _ in range(2)]
    both[0].wake = both[1].wake  # type: ignore[method-assign]
    for number in range(60):
        put(cache, f"c{number % 7}", str(number))
        for worker in both:
            worker.wake("copier")
    last = {f"default/c{number % 7}": str(number) for number in range(53, 60)}
    eventually(lambda: copier.seen == last)
    for worker in both:
        worker.ticker.stop()
        worker.feeder.stop()
    assert copier.twice == []
