"""Who listens to a container's output beside its log: clients that are attached."""

from __future__ import annotations

import fcntl
import os
import select
import time

from kubelet.shim.container import Container

ROOM = 1024 * 1024
PATIENCE = 1.0
_STREAMS = ("stdout", "stderr")


class Taps:
    """Copies of output, on pipes.  A listener that does not read for PATIENCE seconds, with ROOM bytes waiting, is cut."""

    def __init__(self) -> None:
        self._taps: list[tuple[Container, str, int]] = []

    def add(self, owner: Container, fds: list[int]) -> None:
        """`fds` for stdout and stderr; they are duplicated.  What is known of an unfinished line is sent at once."""
        for stream, received in zip(_STREAMS, fds, strict=False):
            fd = fcntl.fcntl(received, fcntl.F_DUPFD_CLOEXEC, 3)
            os.set_blocking(fd, False)
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, ROOM)
            self._taps.append((owner, stream, fd))
            self.feed(owner, stream, owner.log.unfinished(stream), only=fd)

    def feed(self, owner: Container, stream: str, data: bytes, only: int = -1) -> None:
        for tap in [t for t in self._taps if t[0] is owner and t[1] == stream and only in (-1, t[2])]:
            if data and not _write(tap[2], data):
                self._drop(tap)

    def close(self, owner: Container) -> None:
        """The container ended: its listeners read end of file."""
        for tap in [t for t in self._taps if t[0] is owner]:
            self._drop(tap)

    def _drop(self, tap: tuple[Container, str, int]) -> None:
        self._taps.remove(tap)
        os.close(tap[2])


def _write(fd: int, data: bytes) -> bool:
    """Whether all was taken."""
    view, deadline = memoryview(data), time.monotonic() + PATIENCE
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            if not select.select([], [fd], [], max(0.0, deadline - time.monotonic()))[1]:
                return False
        except OSError:
            return False  # the listener is gone
    return True
