"""Finding and ending processes by session or by the mark in their environment."""

from __future__ import annotations

import contextlib
import os
import signal

MARK = "BINNACLE_CONTAINER_ID"


def started(pid: int, proc: str = "/proc") -> int | None:
    """Start time of a process in clock ticks since boot: with the pid it names a process for good."""
    fields = _stat(pid, proc)
    return int(fields[19]) if fields and fields[0] != "Z" else None


def _stat(pid: int | str, proc: str = "/proc") -> list[str] | None:
    """The fields of /proc/PID/stat after the name (which may hold blanks and brackets)."""
    try:
        with open(f"{proc}/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def alive(pid: int, start: int | None) -> bool:
    return start is not None and started(pid) == start


def kill_leftovers(session: int, mark: str) -> int:
    """SIGKILL to what a container left behind: its session, and processes that carry its mark. How many."""
    count = 0
    wanted = f"\0{MARK}={mark}\0".encode()
    for name in os.listdir("/proc"):
        if not name.isdecimal() or int(name) == os.getpid():
            continue
        fields = _stat(name)
        if (session and fields and int(fields[3]) == session) or _marked(name, wanted):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(name), signal.SIGKILL)
                count += 1
    return count


def _marked(pid: str, wanted: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return wanted in b"\0" + file.read(1 << 18)
    except OSError:
        return False  # gone, or another user's: not ours
