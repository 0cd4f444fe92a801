"""The half hour that is still open: the newest samples of everything, in memory.

Each scrape also lies in the file as one record, from which this is made again after a restart.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from monitoring.history.figures import FIGURES, MISSING

WIDTH = len(FIGURES)
_COUNT = struct.Struct("<I")


class Sample(NamedTuple):
    """What was measured of one entity at one time (milliseconds); the values in the order of FIGURES."""

    number: int
    at: int
    values: Sequence[int]


class Open:
    """The samples of one entity. `before` is the last one of the half hour before: what counters are compared with."""

    __slots__ = ("before", "columns", "times")

    def __init__(self, before: Sample | None = None) -> None:
        self.times = array("q")
        self.columns: list[array[int] | None] = [None] * WIDTH
        self.before = before

    def add(self, at: int, values: Sequence[int]) -> None:
        columns = self.columns
        for place, value in enumerate(values):
            column = columns[place]
            if column is not None:
                column.append(value)
            elif value != MISSING:
                columns[place] = array("q", [MISSING] * len(self.times) + [value])
        self.times.append(at)

    def newest(self) -> int:
        return self.times[-1] if self.times else self.before.at if self.before else 0

    def last(self, number: int) -> Sample:
        """The last sample; there is at least one."""
        return Sample(number, self.times[-1], [MISSING if c is None else c[-1] for c in self.columns])


class Head:
    """The half hour that began at `start` (seconds)."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.series: dict[int, Open] = {}

    def add(self, samples: Iterable[Sample]) -> list[Sample]:
        """Takes what is newer than what it has; returns that."""
        taken, series = [], self.series
        for sample in samples:
            one = series.get(sample.number)
            if one is None:
                one = series[sample.number] = Open()
            if sample.at > one.newest():
                one.add(sample.at, sample.values)
                taken.append(sample)
        return taken

    def followed(self, start: int) -> Head:
        """The next one, which knows the last samples of this."""
        made = Head(start)
        for number, one in self.series.items():
            if one.times:
                made.series[number] = Open(one.last(number))
        return made


def encode(samples: Sequence[Sample]) -> bytes:
    """One scrape as a record."""
    columns = [array("q", (s.number for s in samples)), array("q", (s.at for s in samples))]
    columns += [array("q", (s.values[place] for s in samples)) for place in range(WIDTH)]
    return zlib.compress(_COUNT.pack(len(samples)) + b"".join(column.tobytes() for column in columns), 1)


def decode(body: bytes) -> list[Sample]:
    """Raises ValueError when the record is not whole."""
    try:
        data = zlib.decompress(body)
        (count,) = _COUNT.unpack_from(data)
    except (zlib.error, struct.error) as error:
        raise ValueError(f"not a record of a scrape: {error}") from error
    whole = array("q")
    whole.frombytes(data[_COUNT.size :])
    if len(whole) != count * (WIDTH + 2):
        raise ValueError("a record of a scrape is not as long as it says")
    parts = [whole[i * count : (i + 1) * count] for i in range(WIDTH + 2)]
    return [Sample(number, at, values) for number, at, *values in zip(*parts, strict=True)]
