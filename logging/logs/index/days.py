"""The days that are kept, and what the disk still has room for."""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from logs.index.day import Day
from logs.query.moments import day as day_of

log = logging.getLogger("logs.index")

DAY = 86_400 * 10**9
_NAME = re.compile(r"\d{4}\.\d\d\.\d\d")
MEASURE = 15.0       # seconds that a measured size is taken for


@dataclass(frozen=True, slots=True)
class Bounds:
    """`days` with today; `size` and `free` in bytes: what all days may take, and what is left free on the disk."""

    days: int = 14
    size: int = 2 << 30
    free: int = 256 << 20


class Full(Exception):
    """No room for more lines; the text says why."""


class Days:
    """All indices below `folder`, opened when they are first asked for."""

    def __init__(self, folder: Path, bounds: Bounds) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.bounds = folder, bounds
        self._open: dict[str, Day] = {}
        self._lock = threading.Lock()
        self._sizes: dict[str, int] = {}
        self._measured = -MEASURE
        self.dropped: list[str] = []

    def names(self) -> list[str]:
        """Days that have an index, the oldest first."""
        with self._lock:
            there = {path.name for path in self.folder.iterdir() if _NAME.fullmatch(path.name)}
        return sorted(there)

    def between(self, low: int, high: int) -> list[Day]:
        """The days that may hold lines of `low` to `high` in nanoseconds, the oldest first."""
        first, last = day_of(max(low, 0)), day_of(max(min(high, _MOST) - 1, 0))
        return [self.day(name) for name in self.names() if first <= name <= last]

    def day(self, name: str) -> Day:
        with self._lock:
            found = self._open.get(name)
            if found is None:
                found = self._open[name] = Day(self.folder / name)
            return found

    def accepts(self, nanos: int) -> str:
        """Why a line of this time is not kept, "" when it is."""
        now = time.time_ns()
        if nanos < now - self.bounds.days * DAY:
            return f"@timestamp: older than the {self.bounds.days} days that are kept"
        return "@timestamp: more than a day in the future" if nanos > now + DAY else ""

    def opened(self) -> list[Day]:
        with self._lock:
            return list(self._open.values())

    # -- bounds --------------------------------------------------------------------------------------------------------

    def sweep(self) -> list[str]:
        """Drops days by age, and then the oldest until the rest fits; today's stays. Returns what was dropped."""
        today = day_of(time.time_ns())
        oldest = day_of(time.time_ns() - (self.bounds.days - 1) * DAY)
        gone = [name for name in self.names() if name < oldest]
        kept = [name for name in self.names() if name >= oldest]
        sizes = self.measure(fresh=True)
        total = sum(sizes[name] for name in kept if name in sizes)
        while kept and kept[0] < today and total > self.bounds.size:
            total -= sizes.get(kept[0], 0)
            gone.append(kept.pop(0))
        for name in gone:
            self._drop(name)
        return gone

    def _drop(self, name: str) -> None:
        log.info("the lines of %s are dropped: older than %d days, or more than %d bytes in all", name, self.bounds.days,
                 self.bounds.size)
        with self._lock:
            self._open.pop(name, None)
            # Renamed first: a kill in the middle leaves no half an index under a day's name.
            dead = self.folder / f"dropped-{name}"
            shutil.rmtree(dead, ignore_errors=True)
            (self.folder / name).rename(dead)
        shutil.rmtree(dead, ignore_errors=True)
        self._sizes.pop(name, None)

    def measure(self, fresh: bool = False) -> dict[str, int]:
        """Bytes on the disk of each day."""
        if fresh or time.monotonic() - self._measured > MEASURE:
            self._sizes = {name: _size(self.folder / name) for name in self.names()}
            self._measured = time.monotonic()
        return self._sizes

    def check_room(self) -> None:
        """Raises Full when nothing more can be taken."""
        free = shutil.disk_usage(self.folder).free
        if free < self.bounds.free:
            raise Full(f"{free >> 20} MiB are free on the disk of the log store, and {self.bounds.free >> 20} MiB are left "
                       "to others: make room, or lower the size or the days that are kept")
        if sum(self.measure().values()) > self.bounds.size:
            self.sweep()
            if sum(self.measure().values()) > self.bounds.size:
                raise Full(f"the lines of today alone take the {self.bounds.size >> 20} MiB of the log store: raise max_size")


_MOST = 253_402_300_799 * 10**9   # the last second of the year 9999


def _size(folder: Path) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(path, name)).st_size
            except FileNotFoundError:
                continue  # merged away meanwhile
    return total
