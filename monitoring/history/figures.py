"""Which figures are kept of each thing.

Everything is a whole number that is never negative, so that differences are small integers and -1 can say "not measured".
"""

from __future__ import annotations

from typing import NamedTuple

MISSING = -1


class Figure(NamedTuple):
    """`scale`: how many stored units make one of `unit`; of a counter `unit` is that of its rate."""

    name: str
    unit: str
    scale: int
    counter: bool


FIGURES = (
    Figure("cpu", "cores", 1_000_000, True),  # microseconds of processor time
    Figure("memory", "bytes", 1, False),  # working set
    Figure("rx", "bytes/s", 1, True),  # bytes received
    Figure("tx", "bytes/s", 1, True),  # bytes sent
    Figure("fs", "bytes", 1, False),  # bytes used: a pod's volumes and logs, a node's file system
    Figure("restarts", "restarts", 1, True),  # how often containers were started again; told as the number in a step
)
NUMBER = {figure.name: number for number, figure in enumerate(FIGURES)}
COUNTERS = tuple(figure.counter for figure in FIGURES)
CPU, MEMORY, RX, TX, FS, RESTARTS = range(len(FIGURES))
NOTHING = (MISSING,) * len(FIGURES)
