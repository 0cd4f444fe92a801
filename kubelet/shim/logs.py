"""Container logs in the CRI format: `<RFC3339Nano> <stdout|stderr> <F|P> <text>`, rotated by size."""

from __future__ import annotations

import os
import time

PARTIAL = 16 * 1024
MAX_BYTES = 10 * 1024 * 1024
MAX_FILES = 5


class Clock:
    """RFC3339 with nanoseconds, in UTC; the part that changes once a second is kept."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def stamp(self, nanoseconds: int | None = None) -> str:
        second, rest = divmod(time.time_ns() if nanoseconds is None else nanoseconds, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        return f"{self._text}{rest:09d}Z"


class LogFile:
    """One container's log: `feed` what was read from a stream, `close` at the end.

    A file that grew past `max_bytes` is renamed `<path>.<YYYYMMDD-HHMMSS>`; `max_files` are kept, the live one
    included.
    """

    def __init__(self, path: str, max_bytes: int = MAX_BYTES, max_files: int = MAX_FILES) -> None:
        self.path = path
        self._max_bytes, self._max_files = max_bytes, max_files
        self._clock = Clock()
        self._rest = {"stdout": b"", "stderr": b""}
        self._open()

    def _open(self) -> None:
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._fd).st_size

    def feed(self, stream: str, data: bytes) -> None:
        """Writes the whole lines; the rest waits for its newline, and is written as partial at 16 KiB."""
        *lines, rest = (self._rest[stream] + data).split(b"\n")
        out = bytearray()
        for line in lines:
            self._line(out, stream, line, b"F")
        while len(rest) >= PARTIAL:
            self._entry(out, stream, b"P", rest[:PARTIAL])
            rest = rest[PARTIAL:]
        self._rest[stream] = rest
        if out:
            self._write(out)

    def unfinished(self, stream: str) -> bytes:
        """The line that waits for its newline: a prompt, perhaps."""
        return self._rest[stream]

    def flush(self, stream: str) -> None:
        """The end of a stream: an unfinished line is written as it is, partial, so that no reader ends it."""
        rest, self._rest[stream] = self._rest[stream], b""
        if rest:
            out = bytearray()
            self._line(out, stream, rest, b"P")
            self._write(out)

    def close(self) -> None:
        for stream in self._rest:
            self.flush(stream)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _line(self, out: bytearray, stream: str, line: bytes, tag: bytes) -> None:
        while len(line) > PARTIAL:
            self._entry(out, stream, b"P", line[:PARTIAL])
            line = line[PARTIAL:]
        self._entry(out, stream, tag, line)

    def _entry(self, out: bytearray, stream: str, tag: bytes, text: bytes) -> None:
        out += b"%b %b %b %b\n" % (self._clock.stamp().encode(), stream.encode(), tag, text)

    def _write(self, out: bytearray) -> None:
        view = memoryview(out)
        while view:
            view = view[os.write(self._fd, view) :]
        self._size += len(out)
        if self._size >= self._max_bytes:
            self._rotate()

    def _rotate(self) -> None:
        os.close(self._fd)
        name = f"{self.path}.{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
        kept = rotated(self.path)
        if kept and name <= kept[-1]:
            # Twice in one second (or the clock went back): names must still sort in order of rotation.
            name = kept[-1] + "x"
        os.rename(self.path, name)
        for old in rotated(self.path)[: -(self._max_files - 1) or None]:
            os.unlink(old)
        self._open()


def rotated(path: str) -> list[str]:
    """The rotated files of a log, oldest first."""
    folder, base = os.path.split(path)
    try:
        names = os.listdir(folder or ".")
    except FileNotFoundError:
        return []
    return [os.path.join(folder, name) for name in sorted(names) if name.startswith(base + ".")]
