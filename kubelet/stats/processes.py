"""Figures of a container from /proc: its first process, that one's descendants, and whatever is in its session."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kubelet.stats.model import Usage

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Process:
    """`ticks` are its own and those of children it has waited for."""

    parent: int
    session: int
    ticks: int
    rss: int
    minor_faults: int
    major_faults: int


class Table:
    """All processes, read once for a sample."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._processes: dict[int, Process] = {}
        self._children: dict[int, list[int]] = {}
        for name in os.listdir(proc):
            if not name.isdigit():
                continue
            try:
                fields = (proc / name / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has just ended
            process = Process(
                parent=int(fields[1]),
                session=int(fields[3]),
                ticks=sum(map(int, fields[11:15])),
                rss=int(fields[21]) * PAGE,
                minor_faults=int(fields[7]),
                major_faults=int(fields[9]),
            )
            self._processes[int(name)] = process
            self._children.setdefault(process.parent, []).append(int(name))

    def usage(self, first: int) -> Usage:
        """Of the container whose first process is `first`.  Shared pages count for each process that has them."""
        members = {pid for pid, process in self._processes.items() if pid == first or process.session == first}
        waiting = list(members)
        while waiting:
            new = set(self._children.get(waiting.pop(), ())) - members
            members |= new
            waiting += new
        found = [self._processes[pid] for pid in members]
        rss = sum(process.rss for process in found)
        return Usage(
            cpu=sum(process.ticks for process in found) / TICKS,
            memory=rss,
            working_set=rss,
            rss=rss,
            processes=len(found),
            page_faults=sum(process.minor_faults for process in found),
            major_page_faults=sum(process.major_faults for process in found),
        )
