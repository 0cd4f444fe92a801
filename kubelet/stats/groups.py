"""Figures of a control group, of either version.

`folders` are the group's folders by controller: one with the key "" in version 2; cpu, cpuacct and memory in version 1.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from kubelet.stats.model import Usage

NANO, MICRO = 1e9, 1e6


def measures(folders: Mapping[str, Path]) -> tuple[bool, bool]:
    """Whether CPU time and memory can be read there."""
    if "" in folders:
        return (folders[""] / "cpu.stat").exists(), (folders[""] / "memory.current").exists()
    cpu = _accounting(folders) is not None
    return cpu, "memory" in folders and (folders["memory"] / "memory.usage_in_bytes").exists()


def read(folders: Mapping[str, Path]) -> Usage:
    """What the group used; parts whose files are missing stay 0.  Raises OSError when the group is gone."""
    usage = Usage()
    if "" in folders:
        _unified(folders[""], usage)
    else:
        _legacy(folders, usage)
    usage.working_set = max(0, usage.working_set)
    return usage


def _unified(folder: Path, usage: Usage) -> None:
    cpu = numbers(folder / "cpu.stat")
    usage.cpu = cpu.get("usage_usec", 0) / MICRO
    usage.periods, usage.throttled_periods = cpu.get("nr_periods", 0), cpu.get("nr_throttled", 0)
    usage.throttled_seconds = cpu.get("throttled_usec", 0) / MICRO
    with contextlib.suppress(FileNotFoundError):  # the memory controller may be off
        usage.memory = number(folder / "memory.current")
        memory = numbers(folder / "memory.stat")
        usage.working_set = usage.memory - memory.get("inactive_file", 0)
        usage.rss, usage.cache = memory.get("anon", 0), memory.get("file", 0)
        usage.mapped_file = memory.get("file_mapped", 0)
        usage.page_faults, usage.major_page_faults = memory.get("pgfault", 0), memory.get("pgmajfault", 0)
    with contextlib.suppress(FileNotFoundError):
        usage.swap = number(folder / "memory.swap.current")
    usage.processes = _processes(folder)


def _legacy(folders: Mapping[str, Path], usage: Usage) -> None:
    accounting = _accounting(folders)
    if accounting is not None:
        usage.cpu = number(accounting / "cpuacct.usage") / NANO
    if "cpu" in folders:
        cpu = numbers(folders["cpu"] / "cpu.stat")
        usage.periods, usage.throttled_periods = cpu.get("nr_periods", 0), cpu.get("nr_throttled", 0)
        usage.throttled_seconds = cpu.get("throttled_time", 0) / NANO
    if "memory" in folders:
        usage.memory = number(folders["memory"] / "memory.usage_in_bytes")
        memory = numbers(folders["memory"] / "memory.stat")
        usage.working_set = usage.memory - memory.get("total_inactive_file", 0)
        usage.rss, usage.cache = memory.get("total_rss", 0), memory.get("total_cache", 0)
        usage.swap, usage.mapped_file = memory.get("total_swap", 0), memory.get("total_mapped_file", 0)
        usage.page_faults = memory.get("total_pgfault", 0)
        usage.major_page_faults = memory.get("total_pgmajfault", 0)
    if folders:
        usage.processes = _processes(next(iter(folders.values())))


def _accounting(folders: Mapping[str, Path]) -> Path | None:
    """The folder with the CPU time; the controllers cpu and cpuacct are often mounted as one."""
    found = (folders[name] for name in ("cpuacct", "cpu") if name in folders)
    return next((folder for folder in found if (folder / "cpuacct.usage").exists()), None)


def _processes(folder: Path) -> int:
    try:
        return (folder / "cgroup.procs").read_text().count("\n")
    except FileNotFoundError:
        return 0


def number(file: Path) -> int:
    return int(file.read_text())


def numbers(file: Path) -> dict[str, int]:
    """A file of lines `name value`."""
    pairs = (line.split() for line in file.read_text().splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}
