"""Lines into a file that is rotated by size and cleared by age and number; several processes may write into one.

Whoever hands over a line never waits: a thread writes what has gathered, ten times a second at most. What waits is bounded
in bytes; beyond that, lines are dropped, counted, and told in this process's own log. What waits is lost when the process is
killed.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Protocol

log = logging.getLogger(__name__)

MAX_EVENT = 100 * 1024  # bytes of bodies in one event; longer ones are left out
MAX_WAITING = 16 << 20  # bytes that wait to be written
GATHER = 0.1  # seconds
DAY = 86_400
TELL = 60.0  # seconds between two complaints


class Line(Protocol):
    """What becomes a line, of about `size` bytes in memory."""

    size: int

    def encode(self) -> bytes: ...


class Rotated:
    """The file. `max_size` in MiB; `max_age` in days and `max_backups`, of rotated ones: 0 keeps all."""

    def __init__(self, path: Path, max_size: float = 100, max_age: float = 0, max_backups: int = 0) -> None:
        self.path, self.max_age, self.max_backups = path, max_age, max_backups
        self.max_bytes = int((max_size or 100) * (1 << 20))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(path.with_name(f".{path.name}.lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._file = -1

    def write(self, lines: list[bytes]) -> None:
        """Append, rotating where a file would become too long. Raises OSError."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            size = self._open()
            ready: list[bytes] = []
            for line in lines:
                if size and size + len(line) > self.max_bytes:
                    self._append(ready)
                    ready, size = [], 0
                    self._rotate()
                ready.append(line)
                size += len(line)
            self._append(ready)
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        for number in (self._file, self._lock):
            if number >= 0:
                os.close(number)
        self._file = self._lock = -1

    def _append(self, lines: list[bytes]) -> None:
        rest = memoryview(b"".join(lines))
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def _open(self) -> int:
        """The file under the path, which another process may have rotated since; its size."""
        if self._file >= 0:
            try:
                ours, there = os.fstat(self._file), self.path.stat()
                if (ours.st_ino, ours.st_dev) == (there.st_ino, there.st_dev):
                    return there.st_size
            except FileNotFoundError:
                pass
            os.close(self._file)
            self._file = -1
        self._file = os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        self._clear()
        return os.fstat(self._file).st_size

    def _rotate(self) -> None:
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H-%M-%S", time.gmtime(now)) + f".{int(now * 1e6) % 1_000_000:06d}"
        self.path.rename(self.path.with_name(f"{self.path.stem}-{stamp}{self.path.suffix}"))
        self._open()

    def _clear(self) -> None:
        old = rotated(self.path)[::-1]
        for at, path in enumerate(old):
            many = self.max_backups and at >= self.max_backups
            if many or (self.max_age and path.stat().st_mtime < time.time() - self.max_age * DAY):
                path.unlink(missing_ok=True)


def rotated(path: Path) -> list[Path]:
    """The files that were rotated away from `path`, oldest first."""
    return sorted(path.parent.glob(f"{path.stem}-????-??-??T??-??-??.*{path.suffix}"))


class Writer:
    """Takes lines of any thread. `dropped` and `failed` count those that are not on the disk."""

    def __init__(self, file: Rotated | None, max_waiting: int = MAX_WAITING) -> None:
        """`file` None: standard output."""
        self.file, self.max_waiting = file, max_waiting
        self.dropped = self.failed = self.written = 0
        self._lines: deque[Line] = deque()
        self._waiting, self._told = 0, float("-inf")
        self._wake, self._idle, self._ending = threading.Event(), True, False
        self._writing, self._counting = threading.Lock(), threading.Lock()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def put(self, line: Line) -> None:
        """Hand over a line; never waits."""
        with self._counting:
            fits = self._waiting + line.size <= self.max_waiting
            if fits:
                self._waiting += line.size
            else:
                self.dropped += 1
        if not fits:
            self._complain(f"{self.dropped} audit events were dropped: they come faster than the disk takes them")
            return
        self._lines.append(line)
        if self._idle:
            self._idle = False
            self._wake.set()

    def flush(self) -> None:
        """Write what waits, now; in the caller's thread."""
        with self._writing:
            lines: list[bytes] = []
            while self._lines:
                line = self._lines.popleft()
                with self._counting:
                    self._waiting -= line.size
                try:
                    lines.append(line.encode())
                except (TypeError, ValueError, RecursionError) as error:
                    self.failed += 1
                    self._complain(f"an audit event cannot be written: {error}")
                if len(lines) >= 1000:
                    self._write(lines)
                    lines = []
            self._write(lines)

    def close(self) -> None:
        """Write what waits, and end."""
        self._ending = True
        self._wake.set()
        self._thread.join(5.0)
        self.flush()
        if self.file is not None:
            self.file.close()

    def _run(self) -> None:
        while not self._ending:
            self._wake.wait()
            self._wake.clear()
            if not self._ending:
                time.sleep(GATHER)
            self._idle = True
            self.flush()

    def _write(self, lines: list[bytes]) -> None:
        if not lines:
            return
        try:
            if self.file is None:
                sys.stdout.buffer.write(b"".join(lines))
                sys.stdout.buffer.flush()
            else:
                self.file.write(lines)
        except OSError as error:
            self.failed += len(lines)
            self._complain(f"the audit log cannot be written ({error}): {self.failed} events are missing in it")
        else:
            self.written += len(lines)

    def _complain(self, words: str) -> None:
        if time.monotonic() - self._told > TELL:
            self._told = time.monotonic()
            log.error("%s", words)
