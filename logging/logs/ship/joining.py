"""Pieces of one log -> records: pieces of long lines put together, lines of a stack trace joined.

Where a record ends depends on what is in the files alone (as far as they tell), so that the same files give the same
records after a kill; and a record's id covers its begin and its end, so that where they do not, nothing is lost.
"""

from __future__ import annotations

import time as clock
from dataclasses import dataclass, field
from typing import NamedTuple

from logs.ship.formats import Piece, epoch
from logs.ship.traces import Trace, may_begin

MAX_RECORD = 512 * 1024  # bytes of one line
MAX_TRACE = 256 * 1024  # bytes of joined lines
MAX_LINES = 500
TOGETHER = 1.0  # seconds between the lines of a trace, by the file's own times
PATIENCE = 1.5  # seconds to wait for the next line of a trace
PARTIAL_PATIENCE = 30.0  # seconds to wait for the rest of a long line


class Place(NamedTuple):
    """A place in a log: places compare as the lines were written."""

    order: int
    offset: int
    identity: str = ""
    inode: int = 0


class Record(NamedTuple):
    """One message with the place of its first byte; `last` is where its last line of the file begins, `end` after that."""

    time: str
    stream: str
    text: bytes
    start: Place
    last: Place
    end: int


@dataclass(slots=True)
class _Long:
    """A line whose end has not come yet."""

    time: str
    start: Place
    parts: list[bytes]
    size: int
    last: Place
    end: int
    touched: float


@dataclass(slots=True)
class _Group:
    """A line after which others may come that belong to it."""

    first: Record
    trace: Trace
    seconds: float
    touched: float
    lines: list[bytes] = field(default_factory=list)
    size: int = 0


class Joiner:
    """The state of one log, apart for its two streams. `out` gets the records as they become whole."""

    def __init__(self) -> None:
        self.out: list[Record] = []
        self._long: dict[str, _Long] = {}
        self._groups: dict[str, _Group] = {}

    def feed(self, piece: Piece, start: Place, end: int, alone: bool = False) -> None:
        """`alone`: no trace begins with this line, which is known for the whole block."""
        time, stream, partial, text = piece
        if partial or stream in self._long:
            long = self._long.get(stream)
            if long is None:
                long = self._long[stream] = _Long(time, start, [], 0, start, end, 0)
            long.parts.append(text)
            long.size += len(text)
            long.last, long.end, long.touched = start, end, clock.monotonic()
            if not partial or long.size >= MAX_RECORD:
                self._finish(stream, long)
        elif alone and not self._groups:
            self.out.append(Record(time, stream, text, start, start, end))
        else:
            self._line(Record(time, stream, text, start, start, end))

    def _finish(self, stream: str, long: _Long) -> None:
        del self._long[stream]
        self._line(Record(long.time, stream, b"".join(long.parts), long.start, long.last, long.end))

    def _line(self, record: Record) -> None:
        group = self._groups.get(record.stream) if self._groups else None
        if group is not None:
            if self._joined(group, record):
                return
            del self._groups[record.stream]
            self.out.append(_whole(group))
        if may_begin(record.text):
            self._groups[record.stream] = _Group(record, Trace(record.text), epoch(record.time), clock.monotonic())
        else:
            self.out.append(record)

    def _joined(self, group: _Group, record: Record) -> bool:
        if len(group.lines) >= MAX_LINES or group.size + len(record.text) > MAX_TRACE:
            return False
        if not group.trace.takes(record.text):
            return False
        now = epoch(record.time)
        if not 0 <= now - group.seconds <= TOGETHER:
            return False
        group.lines.append(record.text)
        group.size += len(record.text)
        group.seconds, group.touched = now, clock.monotonic()
        group.first = group.first._replace(last=record.last, end=record.end)
        return True

    def expire(self, everything: bool = False) -> None:
        """Gives out what has waited long enough; `everything`: nothing will follow."""
        now = clock.monotonic()
        for stream, long in list(self._long.items()):
            if everything or now - long.touched > PARTIAL_PATIENCE:
                self._finish(stream, long)
        for stream, group in list(self._groups.items()):
            if everything or now - group.touched > PATIENCE:
                del self._groups[stream]
                self.out.append(_whole(group))

    @property
    def waits(self) -> bool:
        """Whether something is held back."""
        return bool(self._long or self._groups)

    def oldest(self) -> Place | None:
        """Where the oldest begins that was fed and not given out."""
        starts = [long.start for long in self._long.values()] + [group.first.start for group in self._groups.values()]
        return min(starts, default=None)


def _whole(group: _Group) -> Record:
    first = group.first
    return first._replace(text=b"\n".join([first.text, *group.lines])) if group.lines else first
