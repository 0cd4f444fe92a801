"""`make down` ends every process of an installation, its pods included; `make clean` also removes its state."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from xmlrpc.client import Fault

from config import orphans, preflight
from config.control import supervisor
from config.preflight import Refused
from config.processes import ROOT

STOP_TIMEOUT = 30.0  # seconds for the supervisor and what it runs


def down(var: Path, quiet: bool = False) -> int:
    """Stop the supervisor with its processes, then the pods' processes. Nothing of the state is lost."""
    pid = preflight.running(var)
    if pid is not None:
        # All but Redis, which the others need to end well, are asked at once: the supervisor itself asks one after another.
        try:
            for process in supervisor(var).getAllProcessInfo():
                if process["name"] != "redis" and process["statename"] == "RUNNING":
                    supervisor(var).stopProcess(process["name"], False)
        except (OSError, Fault):  # it is ending already: then it asks them
            pass
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT
        while preflight.running(var) == pid and not _ended(pid):
            if time.monotonic() > deadline:
                raise Refused(f"the supervisor (process {pid}) did not end within {STOP_TIMEOUT:.0f} s; see {var}/log")
            time.sleep(0.05)
    left = orphans.end(var)
    if pid is None and not quiet:
        print(
            f"The supervisor had died; {left} processes that it left were ended."
            if left
            else "Binnacle is not running."
        )
    if (var / "kubelet").exists():
        subprocess.run(
            [sys.executable, "-m", "kubelet.stop", "--root-dir", str(var / "kubelet")], cwd=ROOT, check=False
        )
    if (var / "kubeproxy").exists():
        subprocess.run(
            [sys.executable, "-m", "kubeproxy.stop", "--state-dir", str(var / "kubeproxy")], cwd=ROOT, check=False
        )
    if pid is not None and not quiet:
        print("Stopped.")
    return 0


def _ended(pid: int) -> bool:
    """A process that ended but whose parent has not asked for it yet is a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def clean(var: Path) -> int:
    """Stop, and remove the state folder."""
    if var.exists() and not (var / "config.json").exists():
        raise Refused(f"{var} holds no Binnacle cluster (no config.json): nothing was removed")
    if var.exists():
        down(var, quiet=True)
        shutil.rmtree(var)
    return 0
