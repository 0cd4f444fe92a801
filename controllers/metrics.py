"""The workqueue_* metrics, under the names Kubernetes gives them.

Counters live in Redis beside the queue, so that any process can show the sum over all workers: the scripts count adds
and retries, each worker adds its durations every few seconds.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from controllers.workqueue import names

if TYPE_CHECKING:
    from redis import Redis

BUCKETS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
_HISTOGRAMS = {
    "queue": ("workqueue_queue_duration_seconds", "How long in seconds an item stays in the queue before being requested"),
    "work": ("workqueue_work_duration_seconds", "How long in seconds processing an item from the queue takes"),
}
_COUNTERS = {
    "adds": ("workqueue_adds_total", "Total number of adds handled by the queue"),
    "retries": ("workqueue_retries_total", "Total number of retries handled by the queue"),
}


class Durations:
    """Durations of one queue that were measured here and not yet added to the sum in Redis."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: dict[str, float] = {}

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
            self._restore(pending)
            raise

    def _count(self, kind: str, value: float) -> None:
        bucket = bisect_left(BUCKETS, value)
        for field, amount in ((f"{kind}:{bucket}", 1.0), (f"{kind}:sum", value)):
            self._pending[field] = self._pending.get(field, 0.0) + amount

    def _restore(self, pending: dict[str, float]) -> None:
        with self._lock:
            for field, value in pending.items():
                self._pending[field] = self._pending.get(field, 0.0) + value


def render(redis: Redis, queues: dict[str, str]) -> Iterator[str]:
    """Lines of the Prometheus text format; `queues` maps the label `name` to the name of the queue in Redis."""
    pipe = redis.pipeline(transaction=False)
    for queue in queues.values():
        parts = names(queue)
        pipe.zcard(parts[0])
        pipe.zcard(parts[1])
        pipe.hgetall(parts[5])
    answers = iter(pipe.execute())
    depth, stats = {}, {}
    for label in queues:
        depth[label] = next(answers) + next(answers)
        stats[label] = {field: float(value) for field, value in next(answers).items()}
    yield from _family("workqueue_depth", "Current depth of workqueue", "gauge", depth.items())
    for field, (metric, text) in _COUNTERS.items():
        yield from _family(metric, text, "counter", ((label, int(s.get(field, 0))) for label, s in stats.items()))
    for field, (metric, text) in _HISTOGRAMS.items():
        yield f"# HELP {metric} {text}"
        yield f"# TYPE {metric} histogram"
        for label, values in stats.items():
            yield from _histogram(metric, label, field, values)


def _family(metric: str, text: str, kind: str, samples: Iterable[tuple[str, float]]) -> Iterator[str]:
    yield f"# HELP {metric} {text}"
    yield f"# TYPE {metric} {kind}"
    for label, value in samples:
        yield f'{metric}{{name="{label}"}} {value}'


def _histogram(metric: str, label: str, field: str, values: dict[str, float]) -> Iterator[str]:
    total = 0
    for index, bound in enumerate((*BUCKETS, float("inf"))):
        total += int(values.get(f"{field}:{index}", 0))
        shown = "+Inf" if bound == float("inf") else f"{bound:g}"
        yield f'{metric}_bucket{{name="{label}",le="{shown}"}} {total}'
    yield f'{metric}_sum{{name="{label}"}} {values.get(f"{field}:sum", 0.0)}'
    yield f'{metric}_count{{name="{label}"}} {total}'
