"""Ports for the servers of tests: each is one test process's own for as long as that lives."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import tempfile
from pathlib import Path

# Below what the kernel gives to outgoing connections (32768 up), so that nobody takes one between our look and a server's
# start; the ports that a cluster derives from its API's (`client.ports`) come after them.
RANGE = range(15_000, 18_800)
_held: list[int] = []  # an open file is a lock


def free_port() -> int:
    """A port, TCP and UDP, that nobody listens on and no other test process is given. Raises OSError when none is left."""
    folder = Path(tempfile.gettempdir()) / "binnacle-test-ports"
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(0o777)  # tests run as root and as ordinary users, at the same time
    first = os.getpid() * 37 % len(RANGE)
    port: int
    for port in (*RANGE[first:], *RANGE[:first]):
        lock = os.open(folder / str(port), os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o444)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(type=kind) as probe:
                    probe.bind(("", port))
        except OSError:
            os.close(lock)
            continue
        _held.append(lock)
        return port
    raise OSError(f"no port of {RANGE.start}-{RANGE.stop - 1} is free")
