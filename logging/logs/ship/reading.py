"""One log read to documents: the bytes, their format, joining, and what each line says of itself."""

from __future__ import annotations

import time as clock
from hashlib import blake2b

from logs.record import Document, Origin
from logs.ship.formats import Format, Piece, leading_time, recognise, stamp
from logs.ship.joining import Joiner, Place, Record
from logs.ship.parsing import inspect
from logs.ship.series import Chunk, Position, Series
from logs.ship.traces import none_begins


class Log:
    """One log. `name` is what makes its ids: the pod's uid, container and start, or the file's name on its node."""

    def __init__(self, path: str, name: str, plain: bool, start: Position | None = None) -> None:
        self.path, self.name, self.plain = path, name, plain
        self.origin: Origin | None = None  # set before the first read, and whenever what is known of the pod changes
        self.series = Series(path, start)
        self.lines = 0
        self.last = ""  # time of the newest line that was read
        self.moved = False  # whether the position differs from the one that was last taken
        self._ids = blake2b(name.encode() + b" ", digest_size=16)
        self._joiner = Joiner()
        self._format: Format | None = None
        self._identity = ""
        self._time = start.time if start else ""
        self._given: dict[str, tuple[Place, int]] = {}  # by stream: the last line that was given out, and its end
        self._skipped = {stream: (identity, offset) for stream, identity, offset in (start.given if start else ())}
        self._passed: set[str] = set()  # files that were read, while something is to be skipped

    @property
    def waits(self) -> bool:
        """Whether lines are held back until others come, or do not."""
        return self._joiner.waits

    def read(self) -> list[Document]:
        """The next documents; empty when there are none now."""
        chunk = self.series.read()
        if chunk is not None:
            self._feed(chunk)
        self._joiner.expire(everything=self.series.gone)
        records, self._joiner.out = self._joiner.out, []
        for record in records:
            self._given[record.stream] = record.last, record.end
        self.moved = self.moved or chunk is not None or bool(records)
        return list(map(self._document, records))

    def position(self) -> Position | None:
        """Before this everything was given out; None for a log that was never read."""
        held, now = self._joiner.oldest(), self.series.position()
        if held is not None:
            before = now.before if now and held.order == self.series.order else ""
            given = tuple((stream, last.identity, end) for stream, (last, end) in self._given.items() if last > held)
            return Position(held.identity, held.offset, held.inode, self._time, given, before)
        return now._replace(time=self._time) if now else None

    def _feed(self, chunk: Chunk) -> None:
        if chunk.identity != self._identity:
            self._identity = chunk.identity
            # The end of a file does not tell its format: what was found at its beginning holds.
            self._format = None if self.plain else recognise(chunk.lines[0]) or self._format
            if not self._time:
                self._time = stamp(clock.time())
        order, identity, inode, offset, lines, data = chunk
        alone = none_begins(data)
        self.lines += len(lines)
        feed, piece_of = self._joiner.feed, self._format or self._plain_piece
        for line in lines:
            end = offset + len(line) + 1
            piece = piece_of(line) or self._plain_piece(line)
            if not self._skipped or not self._skips(piece.stream, identity, offset):
                feed(piece, Place(order, offset, identity, inode), end, alone)
            offset = end
        self.last = piece.time

    def _skips(self, stream: str, identity: str, offset: int) -> bool:
        """Whether this was given out before the position that this log began at was taken."""
        until = self._skipped.get(stream)
        if until is None:
            return False
        self._passed.add(identity)
        if offset < until[1] if identity == until[0] else until[0] not in self._passed and not self.series.lost:
            return True
        del self._skipped[stream]
        return False

    def _plain_piece(self, line: bytes) -> Piece:
        """A line of text has the time that it begins with, else that of the line before it."""
        time = leading_time(line)
        if time:
            self._time = time
        return Piece(time or self._time, "", False, line)

    def _document(self, record: Record) -> Document:
        assert self.origin is not None
        time, stream, text, start, _, end = record
        message = text.decode("utf-8", "replace")
        level, fields = inspect(message)
        identity = self._ids.copy()
        identity.update(f"{stream} {start.identity} {start.offset} {end} {time}".encode())
        return Document(identity.hexdigest(), time, self.origin.encode(time, message, stream, level, fields))

    def close(self) -> None:
        self.series.close()
