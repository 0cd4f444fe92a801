"""Where reading goes on, on the disk: a journal of lines `[path, position]`, rewritten when it has grown.

A position is written after the store has acknowledged what is before it. Losing the end of the journal makes lines be sent
again under the same ids; a torn last line is left out when it is read.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import orjson

from logs.ship.series import Position

log = logging.getLogger("logs.ship.positions")

COMPACT = 256 * 1024  # bytes that the journal may have beyond twice its size after a rewrite


class Positions:
    """The positions by path. Raises OSError only when the folder cannot be made; a full disk is told and outlived."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "positions"
        self._kept: dict[str, Position] = self._read()
        self._fd = -1
        self._size = self._limit = 0
        self.failing = ""  # why the last write failed, until one succeeds

    def get(self, path: str) -> Position | None:
        return self._kept.get(path)

    def paths(self) -> list[str]:
        return list(self._kept)

    def save(self, moved: Mapping[str, Position | None]) -> None:
        """None: the log is gone and read."""
        for path, position in moved.items():
            if position is None:
                self._kept.pop(path, None)
            else:
                self._kept[path] = position
        try:
            if self._fd < 0 or self._size > self._limit:
                self._rewrite()
            else:
                self._append(b"".join(orjson.dumps(entry, default=list) + b"\n" for entry in moved.items()))
            self.failing = ""
        except OSError as error:
            # What is in memory goes on; after a restart lines are sent again, and the store knows them by their ids.
            if not self.failing:
                log.error("positions cannot be written, lines will be sent again after a restart: %s", error)
            self.failing = str(error)
            self.close()  # the next attempt writes all of it to a new file

    def _append(self, data: bytes) -> None:
        written = os.write(self._fd, data)
        self._size += written
        if written < len(data):
            raise OSError(28, "only part of the positions could be written")

    def _rewrite(self) -> None:
        temporary = self._path.with_suffix(".tmp")
        data = b"".join(orjson.dumps(entry, default=list) + b"\n" for entry in self._kept.items())
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.close()
        self._fd, self._size = fd, 0
        self._append(data)
        os.fsync(fd)
        os.rename(temporary, self._path)
        self._limit = 2 * len(data) + COMPACT

    def _read(self) -> dict[str, Position]:
        found: dict[str, Position] = {}
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return found
        for line in lines:
            try:
                path, fields = orjson.loads(line)
                if fields is None:
                    found.pop(path, None)
                    continue
                identity, offset, inode, time, given, before = fields
                found[path] = Position(identity, offset, inode, time, tuple(tuple(entry) for entry in given), before)
            except (orjson.JSONDecodeError, TypeError, ValueError):
                continue  # a crash cut it short
        return found

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
