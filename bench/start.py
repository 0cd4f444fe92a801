"""Seconds of `up` to a Ready node, at the first and at later starts; memory of the idle cluster, all processes.

Memory counts each resident page once (Pss), and the plain sum of resident sets beside it; the pods of kube-system and
the shims that hold them are part of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.servers import ROOT, api_port, free_port
from config.status import resident

IDLE = 15.0  # seconds after the start until memory is read


def main() -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        var = Path(folder) / "var"
        environment = {**os.environ, "BINNACLE_VAR": str(var), "PORT": str(free_port()), "API_PORT": str(api_port())}
        first = _up(environment)
        time.sleep(IDLE)
        memory = processes(var)
        _run(environment, "down")
        later = []
        for _ in range(3):
            later.append(_up(environment))
            _run(environment, "down")
        _run(environment, "clean")
    return {
        "first_start_s": first,
        "later_starts_s": later,
        "idle_memory_mib": round(sum(p for p, _ in memory.values())),
        "idle_memory_rss_sum_mib": round(sum(r for _, r in memory.values())),
        "processes_mib": {name: round(pss) for name, (pss, _) in sorted(memory.items(), key=lambda m: -m[1][0])},
    }


def _up(environment: dict[str, str]) -> float:
    started = time.perf_counter()
    _run(environment, "up", "--detach")
    return round(time.perf_counter() - started, 2)


def _run(environment: dict[str, str], *words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "config", *words], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL
    )


def processes(var: Path) -> dict[str, tuple[float, float]]:
    """(Pss, Rss) in MiB of every process that has this state folder in its environment or command."""
    found: dict[str, tuple[float, float]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            if str(var).encode() not in command + (entry / "environ").read_bytes():
                continue
            pages = int((entry / "statm").read_text().split()[1])
        except (OSError, IndexError):
            continue
        name = " ".join(command.decode(errors="replace").split("\0")[:8])[-60:] + f" [{entry.name}]"
        found[name] = (resident(entry.name) / 2**20, pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
    return found


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
