"""What lies behind a page, looked at once a second: how old the view of the log is, whether the API, Redis, the workers
and this machine's node answer.

One monitor per cluster and process. It runs while someone looks, and says nothing it does not know: each part has its age.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from cluster import hints
from dashboard import api
from dashboard.source import PerSource, Source

log = logging.getLogger(__name__)

INTERVAL = 1.0
LATE = 3.0  # seconds after which the log's reader counts as stuck

Look = Callable[[], Awaitable[str | None]]


class Part:
    """The state of one thing: up, down or not known (None), and when it was last seen up (monotonic seconds).

    `look` tells how it is: "" when it is well, else why not, as a sentence without its subject; None when there is nothing
    to look at. What it raises is why nothing is known.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self.up: bool | None = None
        self.last_up = 0.0
        self.why = ""

    async def follow(self) -> None:
        """Look again and again."""
        while True:
            started = time.monotonic()
            try:
                self.take(await self._look())
            except Exception as error:  # another program is at its port; the authority cannot be read
                if self.why != str(error):
                    log.warning("what lies behind the pages cannot be asked: %r", error)
                self.up, self.why = None, str(error)
            await asyncio.sleep(max(0.2, INTERVAL - (time.monotonic() - started)))

    def take(self, why: str | None) -> None:
        """What a look has found."""
        self.up, self.why = not why, "none is configured" if why is None else why
        if self.up:
            self.last_up = time.monotonic()

    def show(self) -> dict[str, Any]:
        age = round(time.monotonic() - self.last_up, 1) if self.last_up else None
        return {"up": self.up, "age": age, "why": self.why}


class Monitor:
    """Watches the parts behind `source`."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.parts: dict[str, Part] = {}
        # An attached cluster is mirrored by another process; what that sees of its API arrives in the log.
        if source.local:
            self.parts["api"] = Part(api.probe)
        self.parts["redis"] = Part(ping_redis)
        if source.local:
            self.parts |= {process: Part(partial(api.probe_process, process)) for process in api.processes()}
        self.users = 0
        self._tasks: list[asyncio.Task[None]] = []

    def health(self) -> dict[str, Any]:
        """The parts as a page gets them; `store` is the reader of the log."""
        age = self.source.cache.age
        store = {"up": age < LATE, "age": round(age, 1), "why": "" if age < LATE else "the change log cannot be read"}
        return {"store": store, **{name: part.show() for name, part in self.parts.items()}}

    def join(self) -> None:
        """A page opened."""
        self.users += 1
        if not self._tasks:
            self._tasks = [asyncio.create_task(part.follow()) for part in self.parts.values()]

    def leave(self) -> None:
        """A page closed; the last one stops the watching."""
        self.users -= 1
        if self.users <= 0:
            for task in self._tasks:
                task.cancel()
            self._tasks = []


async def ping_redis() -> str | None:
    """ "" when Redis answers, else why not; None when this installation has none."""
    client = hints.connect(timeout=1)
    if client is None:
        return None
    try:
        with client:
            await asyncio.wait_for(asyncio.to_thread(client.ping), 1.5)
        return ""
    except Exception as error:
        return f"does not answer ({type(error).__name__})"


monitor_of = PerSource(Monitor)
"""The monitor of a cluster."""
