"""Figures of the whole machine, of network interfaces and of folders; `proc` may be a recorded tree."""

from __future__ import annotations

import os
from pathlib import Path

from kubelet.stats.model import FileSystem, Interface, Usage
from kubelet.stats.processes import TICKS


def usage(proc: Path = Path("/proc")) -> tuple[Usage, int]:
    """(usage, memory in total).  The working set is what is neither free nor an inactive page of a file."""
    memory = {}
    for line in (proc / "meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        memory[name] = int(value.split()[0]) * 1024
    total = memory.get("MemTotal", 0)
    cache = memory.get("Cached", 0) + memory.get("Buffers", 0)
    used = total - memory.get("MemFree", 0)
    result = Usage(
        cpu=_cpu(proc / "stat"),
        memory=used,
        working_set=max(0, used - memory.get("Inactive(file)", 0)),
        rss=memory.get("AnonPages", 0),
        cache=cache,
        swap=memory.get("SwapTotal", 0) - memory.get("SwapFree", 0),
        mapped_file=memory.get("Mapped", 0),
    )
    for line in (proc / "vmstat").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == "pgfault":
            result.page_faults = int(value)
        elif name == "pgmajfault":
            result.major_page_faults = int(value)
    return result, total


def _cpu(file: Path) -> float:
    """Seconds that processors were not idle and not taken away (user, nice, system, irq, softirq; guest is in user)."""
    fields = file.read_text().partition("\n")[0].split()[1:]
    user, nice, system, _, _, irq, softirq, *_ = map(int, [*fields, *"000"])
    return (user + nice + system + irq + softirq) / TICKS


def booted(proc: Path = Path("/proc")) -> float:
    for line in (proc / "stat").read_text().splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0


def interfaces(pid: int | str, proc: Path = Path("/proc")) -> list[Interface]:
    """The interfaces that a process sees, but loopback and the hosts' ends of pods' cables."""
    found = []
    for line in (proc / str(pid) / "net/dev").read_text().splitlines()[2:]:
        name, _, rest = line.partition(":")
        name = name.strip()
        if name == "lo" or name.startswith("veth"):
            continue
        n = [int(field) for field in rest.split()]
        found.append(Interface(name, n[0], n[1], n[2], n[3], n[8], n[9], n[10], n[11]))
    return found


def file_system(folder: Path) -> FileSystem:
    s = os.statvfs(folder)
    return FileSystem(
        capacity=s.f_blocks * s.f_frsize,
        available=s.f_bavail * s.f_frsize,
        used=(s.f_blocks - s.f_bfree) * s.f_frsize,
        inodes=s.f_files,
        inodes_free=s.f_ffree,
    )
