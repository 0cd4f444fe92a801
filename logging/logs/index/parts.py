"""The indices that are kept, and what the disk still has room for.

A day has one index or, when many lines come, several: a part that has grown to its size is followed by the next. So what is
dropped when all take too much is the oldest part, and the newest lines always find room.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from logs.index.losses import Losses
from logs.index.part import Part
from logs.query.moments import day as day_of

log = logging.getLogger("logs.index")

DAY = 86_400 * 10**9
_NAME = re.compile(r"(\d{4}\.\d\d\.\d\d)-(\d{1,9})")
_EARLIER = re.compile(r"\d{4}\.\d\d\.\d\d")  # how an index was called whose fields were others
MEASURE = 15.0  # seconds that a measured size is taken for
SHARES = 16  # a part is this share of what all may take: so much goes at once


@dataclass(frozen=True, slots=True)
class Bounds:
    """`days` with today; `size` and `free` in bytes: what all indices may take, and what is left free on the disk.

    `part`: bytes after which the next part of a day begins; 0: a share of `size`.
    """

    days: int = 14
    size: int = 2 << 30
    free: int = 256 << 20
    part: int = 0


class Full(Exception):
    """No room for more lines; the text says why."""


class Parts:
    """All indices below `folder`, opened when they are first asked for: `2026.11.28-1`, `2026.11.28-2`, …"""

    def __init__(self, folder: Path, bounds: Bounds) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.bounds = folder, bounds
        self._open: dict[str, Part] = {}
        self._lock = threading.Lock()
        self._sizes: dict[str, int] = {}
        self._measured = -MEASURE
        self.losses = Losses(folder)
        for half in folder.glob("dropped-*"):  # a kill came in the middle
            shutil.rmtree(half, ignore_errors=True)
        if earlier := self._earlier():
            log.warning(
                "not read, and removed when they are too old: indices of an earlier version, %s", ", ".join(earlier)
            )

    def _earlier(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if _EARLIER.fullmatch(path.name))

    def names(self) -> list[str]:
        """The oldest first."""
        with self._lock:
            there = [path.name for path in self.folder.iterdir() if _NAME.fullmatch(path.name)]
        return sorted(there, key=_order)

    def between(self, low: int, high: int) -> list[Part]:
        """Those that may hold lines of `low` to `high` in nanoseconds, `high` not included."""
        first, last = day_of(max(low, 0)), day_of(max(min(high, _MOST) - 1, 0))
        found = [self._part(name) for name in self.names() if first <= _order(name)[0] <= last]
        return [part for part in found if part is not None and part.span.low < high and part.span.high >= low]

    def of_day(self, day: str) -> list[Part]:
        """The parts of a day, the oldest first. The last takes its lines, and is made when there is none, or it is large."""
        names = [name for name in self.names() if _order(name)[0] == day]
        large = self.bounds.part or self.bounds.size // SHARES or 1
        if not names or self.measure().get(names[-1], 0) >= large:
            names.append(f"{day}-{_order(names[-1])[1] + 1 if names else 1}")
            (self.folder / names[-1]).mkdir(exist_ok=True)
        return [part for name in names if (part := self._part(name)) is not None]

    def _part(self, name: str) -> Part | None:
        """None when it was dropped meanwhile."""
        with self._lock:
            found = self._open.get(name)
            if found is None and (self.folder / name).is_dir():
                found = self._open[name] = Part(self.folder / name)
            return found

    def accepts(self, nanos: int) -> str:
        """Why a line of this time is not kept, "" when it is."""
        now = time.time_ns()
        if nanos < now - self.bounds.days * DAY:
            return f"@timestamp: older than the {self.bounds.days} days that are kept"
        return "@timestamp: more than a day in the future" if nanos > now + DAY else ""

    def opened(self) -> list[Part]:
        with self._lock:
            return list(self._open.values())

    # -- bounds --------------------------------------------------------------------------------------------------------

    def sweep(self) -> list[str]:
        """Drops days by age, and then the oldest parts until the rest fits; the newest stays. Returns what was dropped."""
        oldest = day_of(time.time_ns() - (self.bounds.days - 1) * DAY)
        names, sizes = self.names(), self.measure(fresh=True)
        gone = [name for name in names if _order(name)[0] < oldest]
        kept = names[len(gone) :]
        for name in gone:
            self._drop(name, f"older than {self.bounds.days} days")
        for name in self._earlier():
            if name < oldest:
                shutil.rmtree(self.folder / name, ignore_errors=True)
        total = sum(sizes.get(name, 0) for name in kept)
        while len(kept) > 1 and total > self.bounds.size:
            name = kept.pop(0)
            total -= sizes.get(name, 0)
            self._drop(name, f"all take more than {self.bounds.size} bytes", for_room=True)
            gone.append(name)
        return gone

    def _drop(self, name: str, why: str, for_room: bool = False) -> None:
        lines = high = 0
        try:
            part = self._part(name)
            if part is not None:
                lines, high = part.lines, part.span.high
        except (OSError, ValueError) as error:  # it cannot be opened any more
            log.warning("what is dropped with %s is not known: %s", name, error)
        log.info("the %d lines of %s are dropped: %s", lines, name, why)
        with self._lock:
            self._open.pop(name, None)
            # Renamed first: a kill in the middle leaves no half an index under a part's name.
            dead = self.folder / f"dropped-{name}"
            shutil.rmtree(dead, ignore_errors=True)
            (self.folder / name).rename(dead)
        shutil.rmtree(dead, ignore_errors=True)
        self._sizes = {other: size for other, size in self._sizes.items() if other != name}
        self.losses.add(lines, high if for_room else None)

    def measure(self, fresh: bool = False) -> dict[str, int]:
        """Bytes on the disk of each part."""
        if fresh or time.monotonic() - self._measured > MEASURE:
            self._sizes = {name: _size(self.folder / name) for name in self.names()}
            self._measured = time.monotonic()
        return self._sizes

    def grown(self, part: Part) -> None:
        """Lines were added to it."""
        self._sizes = {**self._sizes, part.folder.name: _size(part.folder)}

    def make_room(self) -> None:
        """Drops what is too much. Raises Full when nothing more can be taken all the same."""
        free = shutil.disk_usage(self.folder).free
        if free < self.bounds.free:
            raise Full(
                f"{free >> 20} MiB are free on the disk of the log store, and {self.bounds.free >> 20} MiB are left "
                "to others: make room, or lower the size or the days that are kept"
            )
        if sum(self.measure().values()) > self.bounds.size:
            self.sweep()


_MOST = 253_402_300_799 * 10**9  # the last second of the year 9999


def _order(name: str) -> tuple[str, int]:
    """Day and number of a part."""
    found = _NAME.fullmatch(name)
    assert found is not None, name
    return found[1], int(found[2])


def _size(folder: Path) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(path, name)).st_size
            except FileNotFoundError:
                continue  # merged away meanwhile
    return total
