"""Lines of a container's log, across rotated files, with the options of `kubectl logs`."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from kube import clock
from kubelet.shim.logs import rotated

BLOCK = 256 * 1024
LOOK = 0.2


@dataclass(frozen=True)
class Entry:
    """One line of the file; `partial` says that the text goes on in the next entry of its stream."""

    time: bytes
    stream: bytes
    partial: bool
    text: bytes

    def render(self, timestamps: bool) -> bytes:
        end = b"" if self.partial else b"\n"
        return self.time + b" " + self.text + end if timestamps else self.text + end


@dataclass(frozen=True)
class Options:
    """`since` is in seconds since the epoch; `tail` and `limit_bytes` are None for no limit."""

    follow: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: float | None = None
    limit_bytes: int | None = None
    stream: str = ""


def parse(line: bytes) -> Entry | None:
    """An entry, or None for a line that a crash cut short."""
    parts = line.split(b" ", 3)
    if len(parts) < 4 or parts[1] not in (b"stdout", b"stderr"):
        return None
    return Entry(parts[0], parts[1], parts[2].split(b":")[0] == b"P", parts[3])


def since_text(seconds: float) -> bytes:
    """As the files write times, so that comparing bytes compares times."""
    return clock.stamp_nano(int(seconds * 10**6) * 1000).encode()


def _files(path: str) -> list[str]:
    return [*rotated(path), path]


def _lines(path: str, end: int | None) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            read = 0
            for line in file:
                read += len(line)
                if end is not None and read > end:
                    return
                if line.endswith(b"\n"):
                    yield line[:-1]
    except FileNotFoundError:
        return


def _backwards(path: str, end: int | None) -> Iterator[bytes]:
    """The lines of a file from its end, read block by block."""
    if not os.path.exists(path):
        return
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        position = size if end is None else min(end, size)
        rest = b""
        first = True
        while position:
            size = min(BLOCK, position)
            position -= size
            file.seek(position)
            block = file.read(size) + rest
            rest, *lines = block.split(b"\n")
            if first:
                lines, first = lines[:-1], False
            yield from reversed(lines)
        if rest:
            yield rest


def _wanted(entry: Entry | None, options: Options, since: bytes) -> bool:
    return entry is not None and entry.time >= since and (not options.stream or entry.stream == options.stream.encode())


def history(path: str, options: Options, end: int | None = None) -> Iterator[Entry]:
    """What is in the files now; of the newest no more than `end` bytes."""
    since = since_text(options.since) if options.since is not None else b""
    if options.tail is not None:
        yield from _tail(path, options, since, end)
        return
    for file in _files(path):
        for line in _lines(file, end if file == path else None):
            entry = parse(line)
            if entry is not None and _wanted(entry, options, since):
                yield entry


def _tail(path: str, options: Options, since: bytes, end: int | None) -> Iterator[Entry]:
    """The last `tail` lines; the pieces of a long line count as one."""
    kept: deque[Entry] = deque()
    count = 0
    assert options.tail is not None
    for file in reversed(_files(path)):
        for line in _backwards(file, end if file == path else None):
            entry = parse(line)
            if entry is None or not _wanted(entry, options, since):
                continue
            count += not entry.partial or not kept
            if count > options.tail:
                yield from kept
                return
            kept.appendleft(entry)
    yield from kept


def last_lines(path: str, count: int) -> list[str]:
    """The text of the last lines, each with its newline."""
    entries = history(path, Options(tail=count))
    return [entry.render(False).decode("utf-8", "replace") for entry in entries]


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None


class Follower:
    """Reads what is appended to a log, through rotations."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = open(path, "rb")  # noqa: SIM115  (closed by close())
        self._rest = b""

    def to_end(self) -> int:
        """Skips what is there; how much that is."""
        return self._file.seek(0, os.SEEK_END)

    def read(self) -> list[bytes]:
        """Whole lines that are new."""
        data = self._file.read(BLOCK)
        while not data and (successor := self._successor()) is not None:
            # Once more: it may have been written to between the read and its renaming.
            data = self._file.read(BLOCK)
            if data:
                break
            try:
                file = open(successor, "rb")  # noqa: SIM115
            except FileNotFoundError:
                continue  # it was rotated away meanwhile
            self._file.close()
            self._file = file
            data = file.read(BLOCK)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines

    def _inodes(self) -> list[tuple[str, int]]:
        return [(file, inode) for file in _files(self._path) if (inode := _inode(file)) is not None]

    def _successor(self) -> str | None:
        """The file after ours, when ours was renamed; the oldest one kept when ours is already removed."""
        ours = os.fstat(self._file.fileno()).st_ino
        # The files with their inodes, oldest first; seen the same twice, so that no rotation fell in between.
        before: list[tuple[str, int]] | None = None
        kept = self._inodes()
        while kept != before:
            before, kept = kept, self._inodes()
        position = next((n for n, (_, inode) in enumerate(kept) if inode == ours), -1)
        return kept[position + 1][0] if position + 1 < len(kept) else None

    def close(self) -> None:
        self._file.close()


async def stream(path: str, options: Options, running: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The log as bytes to send; with `follow` it goes on until the container is not running and all is sent."""
    budget = options.limit_bytes
    async for chunk in _chunks(path, options, running):
        if budget is not None:
            chunk = chunk[:budget]
            budget -= len(chunk)
        if chunk:
            yield chunk
        if budget == 0:
            return


async def _chunks(path: str, options: Options, running: Callable[[], bool]) -> AsyncIterator[bytes]:
    follower = Follower(path) if options.follow and os.path.exists(path) else None
    try:
        # Where the history stops the following begins: no line is lost or sent twice.
        end = follower.to_end() if follower is not None else None
        buffer = bytearray()
        for entry in history(path, options, end):
            buffer += entry.render(options.timestamps)
            if len(buffer) > BLOCK:
                yield bytes(buffer)
                buffer.clear()
                await asyncio.sleep(0)
        yield bytes(buffer)
        if follower is not None:
            async for chunk in _follow(follower, options, running):
                yield chunk
    finally:
        if follower is not None:
            follower.close()


async def _follow(follower: Follower, options: Options, running: Callable[[], bool]) -> AsyncIterator[bytes]:
    while True:
        alive = running()
        lines = follower.read()
        entries = (parse(line) for line in lines)
        chunk = b"".join(e.render(options.timestamps) for e in entries if e is not None and _wanted(e, options, b""))
        if chunk:
            yield chunk
        elif not lines:
            if not alive:
                return
            await asyncio.sleep(LOOK)
