"""Bounds the change log: what is older than the history that is wanted is forgotten, a little at a time.

A step holds the writer for some milliseconds at most (`STEP_SECONDS` is what it aims at), and the writers get at least as
long in between. Space in the database file is used again; the file does not grow beyond its largest history.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from cluster.store import Store

STEP_SECONDS = 0.01
SMALLEST_STEP, LARGEST_STEP = 20, 200  # revisions


class Compactor:
    """Compacts the log of one store; `clock` gives epoch seconds."""

    def __init__(self, store: Store, hours: float, changes: int, clock: Callable[[], float] = time.time) -> None:
        self._store, self._seconds, self._changes, self._clock = store, hours * 3600, changes, clock
        self._step = 100

    def target(self) -> int:
        """The revision up to which nothing needs to be readable: too old, or too many changes ago."""
        too_old = self._store.revision_at(self._clock() - self._seconds)
        return max(too_old, self._store.revision() - self._changes, 0)

    def run(self, seconds: float = 1.0) -> bool:
        """Compact for so long at most; returns whether all is done."""
        target, until = self.target(), time.monotonic() + seconds
        while self._store.compacted() < target:
            if time.monotonic() >= until:
                return False
            started = time.monotonic()
            self._store.compact(target, self._step)
            took = time.monotonic() - started
            # How long a step took decides on the size of the next.
            factor = 2.0 if took < STEP_SECONDS / 2 else 0.5 if took > STEP_SECONDS else 1.0
            self._step = int(min(max(self._step * factor, SMALLEST_STEP), LARGEST_STEP))
            time.sleep(took)
        return True
