"""The bytes of one log, whole lines at a time, through rotation, compression, truncation and deletion."""

from __future__ import annotations

import os
import time
import zlib
from dataclasses import dataclass
from typing import IO, NamedTuple

from logs.ship import files
from logs.ship.files import Found

BLOCK = 256 * 1024
SETTLED = 0.5  # seconds without a write after which nobody writes to a renamed file any more


class Position(NamedTuple):
    """Where the next unread line begins. `time` is that of the last line before it that had one (plain files only).

    `given` tells for each stream up to where (file, offset) lines after this place were given out already: while half of
    a line of one stream is there, the other stream goes on. `before` is the newest file before this one that was not
    truncated: it and all older ones are read, also when this one is gone.
    """

    identity: str
    offset: int
    inode: int
    time: str = ""
    given: tuple[tuple[str, str, int], ...] = ()
    before: str = ""


class Chunk(NamedTuple):
    """Whole lines without their newlines, and as one. `order` counts the files of the log, `offset` is where they begin."""

    order: int
    identity: str
    inode: int
    offset: int
    lines: list[bytes]
    data: bytes


@dataclass
class _Current:
    """The file being read."""

    file: IO[bytes]
    path: str
    inode: int
    head: bytes
    identity: str
    live: bool
    left: bool = False  # seen under another name, or nowhere: after one more look nothing is added


class Series:
    """One log: `read` until it gives nothing, and again later. `gone` when no file of it is left and all is read.

    `lost` counts files that rotation removed before they were read to their end, `truncated` the live ones cut short.
    """

    def __init__(self, live: str, start: Position | None = None) -> None:
        # Kubernetes' names of Docker's files are links; the rotated ones are beside the target.
        self.live = os.path.realpath(live)
        self.gone = False
        self.lost = self.truncated = 0
        self.order = 0
        self._resume = start
        self._current: _Current | None = None
        self.offset = 0
        self._done: dict[str, int] = {}
        self._previous = start.before if start else ""
        self._left: Position | None = None  # the end of the file before, while the next is not there yet
        self._generation = 0
        self._quiet: tuple[int, int] | None = None  # inode and size of the live file when all of it was read

    @property
    def open(self) -> bool:
        return self._current is not None

    def hold(self) -> None:
        """Opens the first file, so that it can be read also when its pod is deleted meanwhile."""
        if self.order == 0 and self._current is None:
            self._open_next()

    def changed(self) -> bool:
        """Whether `read` may find something: one call of stat, for the many logs that are silent."""
        if self._quiet is None:
            return True
        try:
            now = os.stat(self.live)
        except OSError:
            return True
        return (now.st_ino, now.st_size) != self._quiet

    def read(self) -> Chunk | None:
        """The next lines, up to 256 KiB; None when there are none now."""
        self._quiet = None
        while not self.gone:
            if self._current is None and not self._open_next():
                return None
            current = self._current
            assert current is not None
            data = self._pull(current)
            if data is None:
                continue  # it was cut short
            cut = data.rfind(b"\n") + 1 or (len(data) if len(data) >= BLOCK else 0)
            if cut:
                current.left = False
                return self._chunk(current, data[:cut])
            if self._again_later(current, len(data)):
                return None
            if not current.left:
                # It may have been written to between the read and the renaming: once more.
                current.left = True
            elif data:
                return self._chunk(current, data)
            else:
                self._leave(current)
        return None

    def _chunk(self, current: _Current, data: bytes) -> Chunk:
        lines = data.split(b"\n")
        if not lines[-1]:
            lines.pop()
        chunk = Chunk(self.order, current.identity, current.inode, self.offset, lines, data)
        self.offset += len(data)
        return chunk

    def _pull(self, current: _Current) -> bytes | None:
        """What is there from the offset on; None when the file is no longer the one that was begun."""
        try:
            current.file.seek(self.offset)
            data = current.file.read(BLOCK)
            if current.path.endswith(".gz"):
                return data
            size = os.fstat(current.file.fileno()).st_size
            if size >= self.offset and os.pread(current.file.fileno(), len(current.head), 0) == current.head:
                return data
        except (OSError, EOFError, zlib.error):
            # A disk that fails, or a damaged archive: the next file, or the same again later.
            self.lost += 1
            self._leave(current)
            return None
        self._cut_short(current)
        return None

    def _again_later(self, current: _Current, rest: int) -> bool:
        """Whether more may come to the current file, of which all but `rest` bytes of an unfinished line are read."""
        try:
            now = os.stat(self.live)
        except OSError:
            now = None
        if now is not None and current.live and now.st_ino == current.inode:
            self._quiet = (now.st_ino, self.offset + rest)
            return True
        age = time.time() - os.fstat(current.file.fileno()).st_mtime
        if not 0 <= age < SETTLED or current.path.endswith(".gz"):
            return False
        # A runtime goes on writing to the renamed file until it opens the new one; with a third file it has.
        return all(entry.live for entry in self._unread())

    # -- from file to file

    def _unread(self) -> list[Found]:
        """The files after the current one, oldest first."""
        seen = {**self._done, **({_plain(self._current.identity): self._current.inode} if self._current else {})}
        # A live file that begins like one before it (with the same banner, say) is known as new by its inode.
        return [
            entry
            for entry in files.found(self.live)
            if entry.identity and (entry.identity not in seen or (entry.live and seen[entry.identity] != entry.inode))
        ]

    def _open_next(self) -> bool:
        if self._resume is not None:
            return self._open_resumed(self._resume)
        unread = self._unread()
        if not unread:
            self.gone = not os.path.exists(self.live) and not files.found(self.live)
            return False
        return self._begin(unread[0], 0)

    def _open_resumed(self, start: Position) -> bool:
        """Goes on where it was: in the same file, under whatever name; else, when that is removed, with the oldest."""
        entries = files.found(self.live)
        same = [entry for entry in entries if entry.identity == _plain(start.identity)]
        self._resume = None
        if not same:
            self.lost += 1
            self.gone = not entries
            self._read_before(
                entries, next((one for one in entries if one.identity and one.identity == start.before), None)
            )
            return not self.gone and self._open_next()
        entry = next((entry for entry in same if entry.inode == start.inode), same[0])
        self._read_before(entries, entry)
        del self._done[entry.identity]
        self._generation = int(start.identity.partition(":")[2] or 0)
        return self._begin(entry, start.offset)

    def _read_before(self, entries: list[Found], last: Found | None) -> None:
        """All up to this one are read."""
        for entry in entries[: entries.index(last) + 1] if last else ():
            self._done[entry.identity] = entry.inode

    def _begin(self, entry: Found, offset: int) -> bool:
        if entry.identity in self._done:
            self._generation += 1
        identity = f"{entry.identity}:{self._generation}" if self._generation else entry.identity
        try:
            file = files.opened(entry.path)
        except OSError:
            return False  # renamed in this moment: looked for again
        self._current = _Current(file, entry.path, entry.inode, entry.head, identity, entry.live)
        self.order += 1
        self.offset = offset
        return True

    def _leave(self, current: _Current) -> None:
        current.file.close()
        self._left = self.position()
        self._current = None
        self._previous = _plain(current.identity)
        self._done[self._previous] = current.inode
        while len(self._done) > 64:
            del self._done[next(iter(self._done))]

    def _cut_short(self, current: _Current) -> None:
        """The live file was emptied in its place. What was in it is in a copy (logrotate's copytruncate), or gone."""
        identity = _plain(current.identity)
        copy = next((entry for entry in files.found(self.live) if not entry.live and entry.identity == identity), None)
        before = self._previous
        self._leave(current)
        if copy is not None:
            del self._done[identity]
            if self._begin(copy, self.offset):
                return
        self.truncated += 1
        self._previous = before  # nobody will find again what was cut: a position names the file before it
        self._done[identity] = 0  # so that the same first line again is a new file

    def release(self) -> None:
        """Closes the file; the next `read` finds it again by what it begins with."""
        if self._current is not None:
            current, self._current = self._current, None
            self._resume = Position(current.identity, self.offset, current.inode, before=self._previous)
            self.order -= 1
            current.file.close()

    def position(self) -> Position | None:
        """Up to where lines were given out."""
        if self._current is None:
            return self._resume or self._left
        return Position(self._current.identity, self.offset, self._current.inode, before=self._previous)

    def waiting(self) -> int:
        """Bytes that are not read yet."""
        total = 0
        if self._current is not None:
            total += max(0, os.fstat(self._current.file.fileno()).st_size - self.offset)
        for entry in self._unread():
            try:
                total += os.stat(entry.path).st_size
            except OSError:
                continue  # removed in this moment
        return total

    def close(self) -> None:
        if self._current is not None:
            self._current.file.close()
            self._current = None


def _plain(identity: str) -> str:
    """Without the number of the generation."""
    return identity.partition(":")[0]
