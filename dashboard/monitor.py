"""What lies behind a page, looked at once a second: how old the view of the log is, whether the API answers, and Redis.

One monitor per cluster and process. It runs while someone looks, and says nothing it does not know: each part has its age.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from dashboard import api
from dashboard.source import PerSource, Source

INTERVAL = 1.0
LATE = 3.0  # seconds after which the log's reader counts as stuck


class Part:
    """The state of one thing: up or down since when, and when it was last seen up (monotonic seconds)."""

    def __init__(self) -> None:
        self.up: bool | None = None
        self.last_up = 0.0
        self.why = ""

    def set(self, up: bool, why: str = "") -> None:
        self.up, self.why = up, why
        if up:
            self.last_up = time.monotonic()

    def show(self) -> dict[str, Any]:
        age = round(time.monotonic() - self.last_up, 1) if self.last_up else None
        return {"up": self.up, "age": age, "why": self.why}


class Monitor:
    """Watches the parts behind `source`."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.api, self.redis = Part(), Part()
        self.users = 0
        self._task: asyncio.Task[None] | None = None

    def health(self) -> dict[str, Any]:
        """The parts as a page gets them; `store` is the reader of the log."""
        age = self.source.cache.age
        store = {"up": age < LATE, "age": round(age, 1), "why": "" if age < LATE else "the change log cannot be read"}
        return {"store": store, "api": self.api.show(), "redis": self.redis.show()}

    def join(self) -> None:
        """A page opened."""
        self.users += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def leave(self) -> None:
        """A page closed; the last one stops the watching."""
        self.users -= 1
        if self.users <= 0 and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                started = time.monotonic()
                await asyncio.gather(self._look_api(), self._look_redis())
                await asyncio.sleep(max(0.2, INTERVAL - (time.monotonic() - started)))

    async def _look_api(self) -> None:
        # An attached cluster is mirrored by another process; what that sees of its API arrives in the log.
        if self.source.local:
            why = await api.probe()
            self.api.set(not why, why)

    async def _look_redis(self) -> None:
        why = await ping_redis()
        if why is None:
            self.redis.set(True, "none is configured")
        else:
            self.redis.set(not why, why)


async def ping_redis() -> str | None:
    """"" when Redis answers, else why not; None when this installation has none."""
    from cluster import hints

    client = hints.connect(timeout=1)
    if client is None:
        return None
    try:
        with client:
            await asyncio.wait_for(asyncio.to_thread(client.ping), 1.5)
        return ""
    except Exception as error:
        return f"Redis does not answer: {type(error).__name__}"


monitor_of = PerSource(Monitor)
"""The monitor of a cluster."""
