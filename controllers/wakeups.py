"""Who drains a queue that has keys: a drain that is looking for one, or a new one, for which a message must be sent.

A message costs Celery more than most reconciles cost us. So a drain (a Celery task, in any worker of the role) that has
emptied a queue waits a moment for the next queue, and whoever wakes a queue sends a message only when no drain waits.
All of that is in Redis, so it does not matter which worker wakes and which drains.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from controllers import lua

if TYPE_CHECKING:
    from redis import Redis


class WakeUps:
    """The queues of a role that nobody has taken yet, and the drains that wait for one. Errors: `redis.RedisError`."""

    def __init__(self, redis: Redis, role: str, clock: Callable[[], float] = time.time) -> None:
        self._redis, self._clock = redis, clock
        self._keys = [f"binnacle:wakeups:{role}:{part}" for part in ("waiting", "idle", "inbox:")]
        self._add, self._take, self._leave = (
            redis.register_script(script) for script in (lua.WAKE, lua.TAKE_WAKE, lua.LEAVE)
        )

    def add(self, queue: str) -> bool:
        """Have a queue drained; whether a message must be sent, because no drain waits for it."""
        return bool(self._add(keys=self._keys, args=[queue, self._now()]))

    def take(self, drain: str, seconds: float) -> str | None:
        """The next queue for the drain of this (unique) name, None when no queue is woken within `seconds`."""
        if queue := self._take(keys=self._keys, args=[drain, self._now(), self._now() + seconds * 1000]):
            return str(queue)
        if seconds > 0 and (handed := self._redis.blpop([self._keys[2] + drain], timeout=seconds)):
            return str(handed[1])
        queue = self._leave(keys=self._keys, args=[drain])
        return str(queue) if queue else None

    def _now(self) -> float:
        return round(self._clock() * 1000, 3)
