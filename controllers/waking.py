"""Who drains a queue that has keys: a free thread of this worker, or whoever gets the message."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.002  # how long wake-ups are gathered into one message


class Drains:
    """The threads of a worker, each draining one queue at a time with `drain(name)`."""

    def __init__(self, name: str, drain: Callable[[str], None], threads: int) -> None:
        self._drain = drain
        self._threads = ThreadPoolExecutor(threads, name)
        self._lock = threading.Lock()
        self._taken = 0
        self._stopping = False

    def take(self, name: str, limit: float = float("inf")) -> bool:
        """Have a queue drained; False when `limit` queues are taken already, or the worker ends."""
        with self._lock:
            if self._taken >= limit or self._stopping:
                return False
            self._taken += 1
        self._threads.submit(self._run, name)
        return True

    def _run(self, name: str) -> None:
        try:
            self._drain(name)
        except Exception:  # nobody looks at the outcome; the ticker takes the keys back and wakes the queue
            log.exception("%s: draining failed", name)
        finally:
            with self._lock:
                self._taken -= 1

    def stop(self) -> None:
        """Wait for what is being drained; what only waited for a thread is dropped."""
        with self._lock:
            self._stopping = True
        self._threads.shutdown(cancel_futures=True)


class Waker:
    """Gathers the names of queues and hands them to `send`, in a thread of its own; each name once."""

    def __init__(self, send: Callable[[list[str]], None]) -> None:
        self._send = send
        self._names: dict[str, None] = {}
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        threading.Thread(target=self._run, name="waker", daemon=True).start()

    def wake(self, name: str) -> None:
        with self._lock:
            self._names[name] = None
        self._wanted.set()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            time.sleep(GATHER_SECONDS)
            self._wanted.clear()
            with self._lock:
                names, self._names = list(self._names), {}
            try:
                if names:
                    self._send(names)
            except Exception as error:  # Redis is away: the ticker wakes the queues when it is back
                log.warning("no wake-up could be sent: %s", error)
