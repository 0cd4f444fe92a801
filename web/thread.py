"""A loop in a thread of its own: servers for processes that have none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

Made = TypeVar("Made")


class LoopThread:
    """Runs one coroutine in the background, until it ends or `stop`; a daemon, so that it keeps no process alive."""

    def __init__(self, main: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        self._main, self._loop = main, asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def call(self, wanted: Awaitable[Made], timeout: float = 30.0) -> Made:
        """The result of what is awaited in the loop; from another thread."""

        async def run() -> Made:
            return await wanted

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout)

    def stop(self) -> None:
        """Cancel it, and wait until it is over."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._cancel)
            self._thread.join(10)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._supervised())
            except asyncio.CancelledError:
                return

    async def _supervised(self) -> None:
        self._task = asyncio.current_task()
        await self._main()
