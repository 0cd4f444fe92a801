"""What the tests need of the machine: a network of their own, an ordinary user, and a look at processes."""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
USER = 65534  # the ordinary user that root's tests become: owns nothing, is in no group
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    """This machine does not let us; the message says what."""


@contextmanager
def own_network() -> Iterator[None]:
    """Moves this thread, and what it starts, into a fresh network namespace with only a loopback interface.

    The namespace goes with its last process. Python 3.11 has neither setns nor unshare, hence ctypes.
    """
    with open("/proc/thread-self/ns/net") as before:
        if _libc.unshare(_CLONE_NEWNET):
            raise Unavailable(f"no network namespace of our own: {os.strerror(ctypes.get_errno())}")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)
            yield
        finally:
            if _libc.setns(before.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")


def links() -> list[str]:
    """Names of the network interfaces here."""
    return sorted(name for _, name in socket.if_nameindex())


def as_user() -> list[str]:
    """The words before a command that run it as an ordinary user, with nothing of root's left but what all may read.

    Where the interpreter or the checkout lies in a folder that only root may enter (pyenv in /root), a mount namespace
    shows an empty folder with just those two in its place.
    """
    hidden: dict[Path, set[Path]] = {}
    for path in {Path(sys.base_prefix), ROOT}:
        closed = [folder for folder in reversed(path.parents) if not folder.stat().st_mode & 0o001]
        if closed:
            hidden.setdefault(closed[0], set()).add(path)
    steps = ["set -e"]
    for folder, wanted in hidden.items():
        hold = "/run/binnacle-e2e"
        steps += [f"mkdir -p {hold}", f"mount -t tmpfs -o mode=755 none {hold}"]
        for path in wanted:
            inside = shlex.quote(f"{hold}/{path.relative_to(folder)}")
            steps += [f"mkdir -p {inside}", f"mount --rbind {shlex.quote(str(path))} {inside}"]
        steps.append(f"mount --move {hold} {shlex.quote(str(folder))}")
    steps.append(f'exec setpriv --reuid {USER} --regid {USER} --clear-groups --inh-caps=-all --bounding-set=-all "$@"')
    return ["unshare", "--mount", "sh", "-c", "\n".join(steps), "sh"]


def processes_with(word: str) -> dict[int, str]:
    """Command lines of the living processes that have `word` in their command line or environment, by process id."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            alive = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
            if alive and word.encode() in command + (entry / "environ").read_bytes() + _places(entry):
                found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
    return found


def _places(entry: Path) -> bytes:
    return b"".join(os.readlink(entry / name).encode() for name in ("cwd", "root"))


def listening() -> list[int]:
    """TCP ports of this network on which somebody listens."""
    tables = [Path(f"/proc/thread-self/net/{name}").read_text() for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table.splitlines()]
    return sorted({int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"})


def kill(pid: int) -> None:
    """kill -9, and not before it is dead."""
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return
        except OSError:
            return
        time.sleep(0.01)
    raise AssertionError(f"process {pid} lives on after SIGKILL")
