"""Ending one container: preStop, SIGTERM, and after the grace period SIGKILL."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from kubelet import hooks
from kubelet.runtimes.base import Runtime

if TYPE_CHECKING:
    from kube.shapes import ContainerLike

AFTER_HOOK = 2.0
"""Seconds that a container has at least, once its preStop hook used up the grace period."""
LOOK = 0.1


class Stop:
    """The end of one start of a container; `hurry()` shortens its grace, never lengthens it."""

    def __init__(self, runtime: Runtime, uid: str, container: ContainerLike, address: str, grace: float) -> None:
        self._runtime, self._uid, self._container, self._address = runtime, uid, container, address
        self._deadline = time.monotonic() + grace
        self._hook: asyncio.Task[None] | None = None

    def hurry(self, grace: float) -> None:
        self._deadline = min(self._deadline, time.monotonic() + grace)
        if grace == 0 and self._hook is not None:
            self._hook.cancel()

    async def run(self, say: Callable[[str, str, str], None]) -> None:
        """Returns when the container is gone; `say(kind, reason, message)` reports a failed hook."""
        name = self._container["name"]
        handler = (self._container.get("lifecycle") or {}).get("preStop")
        if handler and time.monotonic() < self._deadline:
            remaining = self._deadline - time.monotonic()
            call = hooks.call(self._runtime, self._uid, self._address, self._container, handler, remaining)
            self._hook = asyncio.create_task(call)
            await asyncio.wait([self._hook])
            if not self._hook.cancelled() and (error := self._hook.exception()) is not None:
                say("Warning", "FailedPreStopHook", f"PreStopHook failed: {error or 'grace period is over'}")
            self._deadline = max(self._deadline, time.monotonic() + AFTER_HOOK)
        if time.monotonic() < self._deadline:
            await self._runtime.kill(self._uid, name, signal.SIGTERM)
            while self._running() and time.monotonic() < self._deadline:
                await asyncio.sleep(LOOK)
        while self._running():
            await self._runtime.kill(self._uid, name, signal.SIGKILL)
            await asyncio.sleep(LOOK)

    def _running(self) -> bool:
        state = self._runtime.state(self._uid)
        latest = state.latest(self._container["name"]) if state and state.ready else None
        return latest is not None and latest.running
