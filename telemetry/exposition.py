"""Prometheus' text format, version 0.0.4 (`web.http1.METRICS`): pages of samples, and what a process has counted as one."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from telemetry.counting import Metrics

Row = tuple[str, str, str, float]  # name, type, help, value: a family of one sample
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Page:
    """Families in the order in which they were declared."""

    def __init__(self) -> None:
        self._families: dict[str, list[str]] = {}

    def declare(self, name: str, kind: str, text: str) -> None:
        """`kind`: counter, gauge, histogram or untyped. Needed before the first sample; without any it is left out."""
        self._families[name] = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]

    def add(self, name: str, value: float, labels: Mapping[str, str] | str = "", at: float | None = None) -> None:
        """`labels` may be rendered before (see `pairs`); `at`: seconds since the epoch, when the value was measured."""
        text = labels if isinstance(labels, str) else pairs(labels)
        stamp = f" {int(at * 1000)}" if at is not None else ""
        shown = f"{{{text}}}" if text else ""
        self._families[name].append(f"{name}{shown} {_number(value)}{stamp}")

    def histogram(self, name: str, counts: Iterable[tuple[float, float]], total: float, labels: str = "") -> None:
        """One histogram of a family: cumulative counts by upper bound, of which the last is infinity; the sum of all."""
        family, comma, shown, count = (
            self._families[name],
            "," if labels else "",
            f"{{{labels}}}" if labels else "",
            0.0,
        )
        for bound, count in counts:
            text = "+Inf" if bound == float("inf") else repr(float(bound))
            family.append(f'{name}_bucket{{{labels}{comma}le="{text}"}} {_number(count)}')
        family += (f"{name}_sum{shown} {_number(total)}", f"{name}_count{shown} {_number(count)}")

    def rows(self, rows: Iterable[Row]) -> None:
        for name, kind, text, value in rows:
            self.declare(name, kind, text)
            self.add(name, value)

    def text(self) -> str:
        lines = [line for family in self._families.values() if len(family) > 2 for line in family]
        return "\n".join([*lines, ""])


def pairs(labels: Mapping[str, str]) -> str:
    """Labels as they stand between the braces: worth keeping where many samples have them."""
    return ",".join(f'{key}="{text.translate(_ESCAPES)}"' for key, text in labels.items())


def _number(value: float) -> str:
    try:
        return str(int(value)) if value == int(value) else repr(round(value, 9))
    except (OverflowError, ValueError):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"


def render(*metrics: Metrics) -> bytes:
    """The families of all `metrics`, and what the system knows of this process."""
    page = Page()
    for prepare in (prepare for each in metrics for prepare in each.before):
        prepare()
    for family in (family for each in metrics for family in each.families):
        page.declare(family.name, family.kind, family.text)
        for values, histogram in list(family.histograms.items()):
            labels = pairs(dict(zip(family.labels, values, strict=True)))
            page.histogram(family.name, histogram.buckets(), histogram.sum, labels)
        for values, value in list(family.values.items()):
            page.add(family.name, value, dict(zip(family.labels, values, strict=True)))
    page.rows(process())
    return page.text().encode()


def process() -> Iterator[Row]:
    """This process, under the names that Prometheus' own client libraries give."""
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()  # from the third field on, see proc(5)
    booted = next(line for line in Path("/proc/stat").read_bytes().splitlines() if line.startswith(b"btime "))
    started = int(booted.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    used = resource.getrusage(resource.RUSAGE_SELF)
    yield "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", int(fields[20])
    yield (
        "process_resident_memory_bytes",
        "gauge",
        "Resident memory size in bytes.",
        int(fields[21]) * resource.getpagesize(),
    )
    yield "process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.", started
    spent, files = used.ru_utime + used.ru_stime, resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    yield "process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.", spent
    yield "process_max_fds", "gauge", "Maximum number of open file descriptors.", files
    yield "process_open_fds", "gauge", "Number of open file descriptors.", len(os.listdir("/proc/self/fd"))
