"""Processes of an installation whose supervisor died: nobody restarts or stops them any more."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

PROGRAMS = ("-m apiserver", "-m config.worker", "-m kubelet", "-m kubeproxy")
STOP_TIMEOUT = 10.0  # seconds from SIGTERM to SIGKILL


def find(var: Path) -> list[int]:
    """Process ids of what a supervisor of this installation started, and nothing of what those started."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal() and _ours(entry, var)]


def _ours(entry: Path, var: Path) -> bool:
    try:
        words = (entry / "cmdline").read_bytes().split(b"\0")
        environment = (entry / "environ").read_bytes().split(b"\0")
    except OSError:  # it ended, or belongs to somebody else
        return False
    if re.search(rb"(valkey|redis)-server unixsocket:%b/run/redis\.sock$" % re.escape(f"{var}".encode()), words[0]):
        return True  # it writes its title over its arguments and its environment
    # Pods' processes may have the variables too, but run other programs.
    program = words[0] == sys.executable.encode() and b" ".join(words[1:3]).decode(errors="replace") in PROGRAMS
    return (
        program
        and f"BINNACLE_VAR={var}".encode() in environment
        and any(word.startswith(b"SUPERVISOR_PROCESS_NAME=") for word in environment)
    )


def end(var: Path) -> int:
    """End them; how many there were. Pods go on running: the next kubelet takes them over."""
    found = find(var)
    for number, patience in ((signal.SIGTERM, STOP_TIMEOUT), (signal.SIGKILL, STOP_TIMEOUT)):
        for pid in set(found) & set(find(var)):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + patience
        while set(found) & set(find(var)) and time.monotonic() < deadline:
            time.sleep(0.05)
    return len(found)
