"""The metrics of controllers: workqueue_* as Kubernetes names them, controller_runtime_* as controller-runtime does.

The workqueue's counters live in Redis beside the queue, so that any process can show the sum over all workers: the scripts
count adds and retries, each worker adds its durations every few seconds. The rest is of this process.
"""

from __future__ import annotations

import itertools
import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING

from controllers.workqueue import Outcome, names
from telemetry.counting import Metrics
from telemetry.exposition import Page, pairs

if TYPE_CHECKING:
    from redis import Redis

METRICS = Metrics()
RECONCILES = METRICS.counter(
    "controller_runtime_reconcile_total", "Total number of reconciliations per controller.", "controller", "result"
)
ERRORS = METRICS.counter(
    "controller_runtime_reconcile_errors_total",
    "Total number of reconciliations that failed, per controller.",
    "controller",
)

BUCKETS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
_HISTOGRAMS = {
    "queue": (
        "workqueue_queue_duration_seconds",
        "How long in seconds an item stays in the queue before being requested",
    ),
    "work": ("workqueue_work_duration_seconds", "How long in seconds processing an item from the queue takes"),
}
_COUNTERS = {
    "adds": ("workqueue_adds_total", "Total number of adds handled by the queue"),
    "retries": ("workqueue_retries_total", "Total number of retries handled by the queue"),
}
_GAUGES = (
    (
        "workqueue_unfinished_work_seconds",
        "How many seconds of work is in progress and not yet counted in work_duration",
    ),
    (
        "workqueue_longest_running_processor_seconds",
        "How many seconds the longest running processor has been running",
    ),
)


class Durations:
    """Durations of one queue that were measured here and not yet added to the sum in Redis."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: dict[str, float] = {}
        self._turns = itertools.count()
        self._working: dict[int, tuple[float, int]] = {}

    @contextmanager
    def working(self, keys: int) -> Iterator[None]:
        """Around the work on a batch."""
        turn = next(self._turns)
        self._working[turn] = time.monotonic(), keys
        try:
            yield
        finally:
            del self._working[turn]

    def unfinished(self) -> tuple[float, float]:
        """Seconds of work that goes on here: summed over the keys, and of the longest."""
        now = time.monotonic()
        ages = [(now - started, keys) for started, keys in list(self._working.values())]
        return sum(age * keys for age, keys in ages), max((age for age, _ in ages), default=0.0)

    def observe(self, waited: Sequence[float], worked: float) -> None:
        """Count a batch: seconds each key waited, seconds the whole batch took."""
        with self._lock:
            for value in waited:
                self._count("queue", value)
                self._count("work", worked / len(waited))

    def flush(self, redis: Redis, queue: str) -> None:
        """Add what was measured to the sum in Redis; after an error it is kept for the next time."""
        with self._lock:
            pending, self._pending = self._pending, {}
        if not pending:
            return
        try:
            pipe = redis.pipeline(transaction=False)
            for field, value in pending.items():
                pipe.hincrbyfloat(names(queue)[5], field, value)
            pipe.execute()
        except Exception:
            with self._lock:
                for field, value in pending.items():
                    self._pending[field] = self._pending.get(field, 0.0) + value
            raise

    def _count(self, kind: str, value: float) -> None:
        bucket = bisect_left(BUCKETS, value)
        for field, amount in ((f"{kind}:{bucket}", 1.0), (f"{kind}:sum", value)):
            self._pending[field] = self._pending.get(field, 0.0) + amount


def count(controller: str, results: Iterable[Outcome]) -> None:
    """Count what became of a batch of keys."""
    for result in results:
        RECONCILES.add(controller, "error" if result.failed else "success" if result.after is None else "requeue_after")
        if result.failed:
            ERRORS.add(controller)


def render(redis: Redis, queues: dict[str, str], durations: Mapping[str, Durations]) -> bytes:
    """The families of the work queues. `queues` maps the label `name` to the name of the queue in Redis; `durations`: of the
    work that goes on in this process, by the same label."""
    pipe = redis.pipeline(transaction=False)
    for queue in queues.values():
        parts = names(queue)
        pipe.zcard(parts[0])
        pipe.zcard(parts[1])
        pipe.hgetall(parts[5])
    answers = iter(pipe.execute())
    page = Page()
    page.declare("workqueue_depth", "gauge", "Current depth of workqueue")
    for kind, families in (("counter", _COUNTERS.values()), ("histogram", _HISTOGRAMS.values()), ("gauge", _GAUGES)):
        for metric, text in families:
            page.declare(metric, kind, text)
    for name in queues:
        labels = pairs({"name": name})
        page.add("workqueue_depth", next(answers) + next(answers), labels)
        stats = {field: float(value) for field, value in next(answers).items()}
        for field, (metric, _) in _COUNTERS.items():
            page.add(metric, stats.get(field, 0), labels)
        for field, (metric, _) in _HISTOGRAMS.items():
            counts = accumulate(stats.get(f"{field}:{index}", 0) for index in range(len(BUCKETS) + 1))
            page.histogram(
                metric, zip((*BUCKETS, float("inf")), counts, strict=True), stats.get(f"{field}:sum", 0), labels
            )
    for name, found in durations.items():
        for (metric, _), value in zip(_GAUGES, found.unfinished(), strict=True):
            page.add(metric, value, pairs({"name": name}))
    return page.text().encode()
