"""The newest events that fit a search: read backwards from the end of the file, and on into rotated ones, within a bound."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from cluster.audit.writer import MAX_EVENT, rotated

BLOCK = 256 * 1024
MOST_READ = 16 << 20  # bytes that one search reads
NEIGHBOURS = 1000  # lines that several processes may have written in another order than that of time
LONGEST = 8 * MAX_EVENT  # bytes of a line; one that is longer is nobody's event


@dataclass(frozen=True, slots=True)
class Search:
    """What an event has to have; "" fits all. `since` and `until`: RFC 3339 in UTC, or how such a time begins."""

    user: str = ""
    verb: str = ""
    resource: str = ""
    namespace: str = ""
    since: str = ""
    until: str = ""

    def fits(self, event: dict[str, Any]) -> bool:
        about, at = event.get("objectRef") or {}, str(event.get("stageTimestamp") or "")
        who = [str((event.get(key) or {}).get("username") or "") for key in ("user", "impersonatedUser")]
        resource, _, subresource = self.resource.partition("/")
        return (
            (not self.user or any(self.user in name for name in who))
            and (not self.verb or event.get("verb") == self.verb)
            and (not resource or about.get("resource") == resource)
            and (not subresource or about.get("subresource") == subresource)
            and (not self.namespace or about.get("namespace") == self.namespace)
            and (not self.since or at >= self.since)
            and (not self.until or at <= self.until)
        )


@dataclass(frozen=True, slots=True)
class Found:
    """Events, newest first. `cursor` is where to go on, "" at the end of all; `read` bytes were looked through."""

    events: list[dict[str, Any]]
    cursor: str
    read: int


def find(path: Path, search: Search, most: int = 100, cursor: str = "", most_read: int = MOST_READ) -> Found:
    """At most `most` events in at most `most_read` bytes before `cursor` (of an earlier answer; "" is the end). Blocking."""
    events: list[dict[str, Any]] = []
    read, last, too_old = 0, "", 0
    for inode, offset, line in _lines(path, cursor):
        read += len(line) + 1
        last = f"{inode}-{offset}"
        with contextlib.suppress(orjson.JSONDecodeError):
            event = orjson.loads(line)
            if isinstance(event, dict):
                too_old += bool(search.since) and str(event.get("stageTimestamp") or "~") < search.since
                if search.fits(event):
                    events.append(event)
        if len(events) >= most or read >= most_read:
            return Found(events, last, read)
        if too_old > NEIGHBOURS:
            break
    return Found(events, "", read)


def _lines(path: Path, cursor: str) -> Iterator[tuple[int, int, bytes]]:
    """(inode, offset, line) backwards from a cursor."""
    wanted, _, offset = cursor.partition("-")
    reached = not cursor
    for file in (path, *rotated(path)[::-1]):
        try:
            opened = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            found = os.fstat(opened)
            end = found.st_size
            if not reached and str(found.st_ino) != wanted:
                continue
            if not reached:
                end = min(int(offset) if offset.isdecimal() and len(offset) < 19 else 0, end)
                reached = True
            for at, line in _backwards(opened, end):
                yield found.st_ino, at, line
        finally:
            os.close(opened)


def _backwards(opened: int, end: int) -> Iterator[tuple[int, bytes]]:
    """(offset, line) of the lines that end before `end`, the last first; too long ones are passed over."""
    rest = b""
    while end > 0:
        begin = max(end - BLOCK, 0)
        block = os.pread(opened, end - begin, begin) + rest
        first = block.find(b"\n") + 1 if begin else 0  # what is before it may begin in an earlier block
        if begin and not first:
            rest = block if len(block) <= LONGEST else b""
            end = begin
            continue
        at = begin + len(block)
        for line in reversed(block[first:].splitlines(keepends=True)):
            at -= len(line)
            if line.strip():
                yield at, line.rstrip(b"\n")
        rest, end = block[:first], begin
