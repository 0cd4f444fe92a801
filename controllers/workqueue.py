"""A de-duplicating work queue in Redis with the semantics of client-go's.

A key that is added many times before it is taken is processed once; a key that is added while it is being processed is
processed once more afterwards; a key is never processed twice at once. Keys can come back later (`requeue_after`) or
with exponential back-off after a failure. All methods take many keys and cost one round trip.

The queue is a hint, not the truth: Redis may lose it, and the feeder in `controllers.runtime` fills it again.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from client import keyvalue
from controllers import lua

if TYPE_CHECKING:
    from redis import Redis

PRIORITY_STEP = 10**13  # more than any time in ms, so that priority comes before age
LOW_PRIORITY = -100  # keys of a resync: behind everything that just changed
LEASE_PREFIX = "binnacle:worker:"
WORKERS = "binnacle:workers"
WAKE_TTL = 5_000  # ms after which a wake-up that nobody followed counts as lost
_PARTS = ("ready", "again", "processing", "delayed", "failures", "stats", "wake")


class Taken(NamedTuple):
    """A key handed to a worker, and how long it had waited (seconds)."""

    key: str
    waited: float


class Batch(NamedTuple):
    """Keys taken in one call; `token` gives them back. `due`: when the next delayed key is (epoch seconds)."""

    token: str
    items: list[Taken]
    due: float | None = None


class Outcome(NamedTuple):
    """What became of a taken key: `failed` puts it back with back-off, else it may come back after `after` seconds."""

    key: str
    failed: bool = False
    after: float | None = None


class Added(NamedTuple):
    """Result of an add: keys that were new, keys refused because the queue is full, and whether to wake a worker."""

    added: int
    refused: int
    wake: bool


class State(NamedTuple):
    """Sizes of a queue, whether a wake-up must be sent, and the time (epoch seconds) of the next delayed key."""

    wake: bool
    due: float | None
    ready: int
    again: int
    processing: int
    delayed: int


@dataclass(frozen=True)
class Backoff:
    """Delay after the n-th failure in a row: base * 2**(n-1) seconds, at most `cap`, plus up to `jitter` of it."""

    base: float = 0.005
    cap: float = 60.0
    jitter: float = 0.2


def connect(url: str | None = None) -> Redis:
    """A thread-safe Redis client for `url`, else $BINNACLE_REDIS. Calls time out after 5 s."""
    from redis import Redis

    address = url or keyvalue.address()
    if not address:
        raise RuntimeError("BINNACLE_REDIS is not set: give the address of Redis, e.g. unix:///path/redis.sock")
    return Redis.from_url(address, decode_responses=True, socket_timeout=5, socket_connect_timeout=5)


def is_unreachable(error: Exception) -> bool:
    """Whether an error means that Redis does not answer, which passes and needs no traceback."""
    from redis import RedisError

    return isinstance(error, RedisError)


def names(queue: str) -> list[str]:
    """The Redis keys of a queue, in the order in which the scripts take them."""
    return [f"binnacle:queue:{queue}:{part}" for part in _PARTS]


class WorkQueue:
    """One queue as seen by one worker. `limit` bounds the keys that wait; what is refused is reported, not lost silently.

    Errors: `redis.RedisError` when Redis does not answer; no call leaves a half-done change.
    """

    def __init__(
        self,
        redis: Redis,
        name: str,
        worker: str,
        *,
        limit: int = 1_000_000,
        backoff: Backoff = Backoff(),
        wake_ttl: float = WAKE_TTL / 1000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.worker = worker
        self._redis = redis
        self._limit = limit
        self._backoff = backoff
        self._wake_ttl = int(wake_ttl * 1000)
        self._clock = clock
        self._guard = threading.Lock()
        self._next_number = 0
        self._under_way: set[str] = set()
        self.names = names(name)
        self._scripts = {script: redis.register_script(script) for script in (lua.ADD, lua.GET, lua.DONE)}

    def add(self, keys: Iterable[str], priority: int = 0) -> Added:
        """Make keys ready now. A key that waits already keeps its place, or moves up to the higher priority."""
        unique = list(dict.fromkeys(keys))
        if not unique:
            return Added(0, 0, False)
        total, refused, wake = 0, 0, False
        for start in range(0, len(unique), 5000):
            chunk = unique[start : start + 5000]
            score = self._now() - priority * PRIORITY_STEP
            result = self._run(lua.ADD, score, self._limit, self._wake_ttl, *chunk)
            total, refused, wake = total + result[0], refused + result[1], wake or bool(result[2])
        return Added(total, refused, wake)

    def get(self, maximum: int, horizon: float = 0.0) -> Batch:
        """Take up to `maximum` ready keys.

        An empty batch also ends this queue's wake-up (see `Added.wake`), unless a delayed key is due within `horizon`
        seconds: then the caller is expected to come again at that time.
        """
        with self._guard:
            token = f"{self.worker}#{self._next_number}.{self.name}"
            self._next_number += 1
            self._under_way.add(token)
        try:
            now = self._now()
            due, *flat = self._run(lua.GET, now, maximum, token, self._wake_ttl, horizon * 1000)
        except BaseException:
            self._under_way.discard(token)
            raise
        if not flat:
            self._under_way.discard(token)
        # A score holds the time at which the key was added, below its priority.
        items = [
            Taken(key, max(now - float(score) % PRIORITY_STEP, 0.0) / 1000)
            for key, score in zip(flat[::2], flat[1::2], strict=True)
        ]
        return Batch(token, items, float(due) / 1000 if due else None)

    def done(self, token: str, outcomes: Sequence[Outcome], pause: float = 0.0) -> list[int]:
        """Give the keys of a batch back. Returns the failures in a row of each.

        Keys that were added again meanwhile become ready after `pause` seconds. When Redis does not answer, the keys
        count as abandoned: `recover` makes them ready again.
        """
        arguments: list[str | float] = []
        for outcome in outcomes:
            if outcome.failed:
                arguments += outcome.key, "fail", random.random()
            else:
                arguments += outcome.key, "ok", -1 if outcome.after is None else max(outcome.after, 0) * 1000
        backoff = self._backoff
        limits = (backoff.base * 1000, backoff.cap * 1000, backoff.jitter, pause * 1000)
        try:
            answer: list[int] = self._run(lua.DONE, self._now(), token, *limits, *arguments)
            return answer
        finally:
            self._under_way.discard(token)

    def recover(self) -> int:
        """`recover` for this queue alone."""
        return recover(self._redis, self.worker, [self])[0]

    def poll(self) -> State:
        """`poll` for this queue alone."""
        return poll(self._redis, [self], self._now(), self._wake_ttl)[0]

    def forget_wake(self) -> None:
        """Drop a wake-up that was sent to a worker which is gone."""
        self._redis.delete(self.names[-1])

    def under_way(self) -> tuple[int, list[str]]:
        """The number that the next batch gets, and the tokens of the batches that are not given back."""
        with self._guard:
            return self._next_number, list(self._under_way)

    def _now(self) -> float:
        return round(self._clock() * 1000, 3)

    def _run(self, script: str, *arguments: Any) -> Any:
        return self._scripts[script](keys=self.names, args=arguments)


def recover(redis: Redis, worker: str, queues: Sequence[WorkQueue]) -> list[int]:
    """Make keys ready again that are held by workers without a lease or by abandoned batches. How many, per queue."""
    states = [queue.under_way() for queue in queues]
    numbers, tokens = [number for number, _ in states], [token for _, held in states for token in held]
    keys = [name for queue in queues for name in queue.names]
    arguments: list[str | int | float] = [LEASE_PREFIX, time.time() * 1000, worker, *numbers, *tokens]
    recovered: list[int] = redis.register_script(lua.RECOVER)(keys, arguments)
    return recovered


def poll(redis: Redis, queues: Sequence[WorkQueue], now: float | None = None, wake_ttl: int = WAKE_TTL) -> list[State]:
    """Sizes of queues, what is due next, and whether a wake-up is needed (the caller has to send it). `now` in ms."""
    keys = [name for queue in queues for name in queue.names]
    answers = redis.register_script(lua.POLL)(keys, [time.time() * 1000 if now is None else now, wake_ttl])
    return [State(bool(wake), float(due) / 1000 if due else None, *sizes) for wake, due, *sizes in answers]


def hold_lease(redis: Redis, worker: str, seconds: float) -> None:
    """Say that `worker` lives; its keys are taken from it when it does not say so again within `seconds`."""
    pipe = redis.pipeline(transaction=False)
    pipe.set(LEASE_PREFIX + worker, "1", px=int(seconds * 1000))
    pipe.sadd(WORKERS, worker)
    pipe.execute()


def drop_lease(redis: Redis, worker: str) -> None:
    """Give up the lease of a worker that ended, so that its keys are taken over at once."""
    pipe = redis.pipeline(transaction=False)
    pipe.delete(LEASE_PREFIX + worker)
    pipe.srem(WORKERS, worker)
    pipe.execute()


def workers(redis: Redis) -> set[str]:
    """Workers that said once that they live and did not end in order; some may be dead."""
    return redis.smembers(WORKERS)  # type: ignore[return-value]
