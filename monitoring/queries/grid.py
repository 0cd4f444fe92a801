"""Samples -> one value for each step of a grid. A step ends at its time; None where nothing was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monitoring.history.figures import FIGURES, MISSING, RESTARTS
from monitoring.history.rollup import STALE

Values = list[float | None]


class Series:
    """One figure of one entity. `start`, `step`: milliseconds; `rolled`: its samples are five-minute figures already."""

    def __init__(self, figure: int, start: int, step: int, count: int, greatest: bool, rolled: bool) -> None:
        self._figure, self._start, self._step, self._count, self._greatest = figure, start, step, count, greatest
        self._counted = FIGURES[figure].counter and not rolled
        self._sums, self._weights, self._most = [0.0] * count, [0] * count, [0.0] * count
        self._held: list[float | None] = [None] * count  # the last value of each step
        self._at, self._value = 0, MISSING
        self._rolled = rolled

    def add(self, times: Sequence[int], values: Sequence[int]) -> None:
        """More samples, newer than those before; what is not newer is left out. `times` in milliseconds."""
        if self._counted:
            self._add_counter(times, values)
        else:
            self._add_gauge(times, values)

    def _add_gauge(self, times: Sequence[int], values: Sequence[int]) -> None:
        start, step, count = self._start, self._step, self._count
        for at, value in zip(times, values, strict=True):
            if at <= self._at or value == MISSING:
                continue
            self._at, self._value = at, value
            place = (at - start - 1) // step
            if 0 <= place < count:
                self._sums[place] += value
                self._weights[place] += 1
                self._held[place] = value
                if value > self._most[place]:
                    self._most[place] = value

    def _add_counter(self, times: Sequence[int], values: Sequence[int]) -> None:
        start, step, count = self._start, self._step, self._count
        before, last = self._at, self._value
        for at, value in zip(times, values, strict=True):
            if at <= before or value == MISSING:
                continue
            if last != MISSING and at - before <= STALE and at > start:
                grown = value - last if value >= last else value
                first, place = (before - start) // step, (at - start - 1) // step
                if first == place and place < count:
                    self._put(place, grown, at - before)
                else:
                    self._spread(before, at, grown)
            before, last = at, value
        self._at, self._value = before, last

    def _spread(self, before: int, at: int, grown: float) -> None:
        """Growth over the border of two steps: each gets its part. Restarts are not divided: they belong to the end."""
        took = at - before
        for place in range(max(0, (before - self._start) // self._step), (at - self._start - 1) // self._step + 1):
            low = self._start + place * self._step
            part = min(at, low + self._step) - max(before, low)
            if place < self._count and part > 0:
                whole = grown if at <= low + self._step else 0
                self._put(place, whole if self._figure == RESTARTS else grown * part / took, part)

    def _put(self, place: int, grown: float, took: int) -> None:
        self._sums[place] += grown
        self._weights[place] += took
        rate = grown * 1000 / took
        if rate > self._most[place]:
            self._most[place] = rate

    def values(self) -> Values:
        """In the figure's unit."""
        scale = FIGURES[self._figure].scale
        if self._figure == RESTARTS:
            return [total if weight else None for total, weight in zip(self._sums, self._weights, strict=True)]
        if self._greatest:
            found: Values = [
                most / scale if weight else None for most, weight in zip(self._most, self._weights, strict=True)
            ]
        else:
            factor = 1000 / scale if self._counted else 1 / scale
            found = [
                total * factor / weight if weight else None
                for total, weight in zip(self._sums, self._weights, strict=True)
            ]
        return found if self._counted else self._filled(found)

    def _filled(self, found: Values) -> Values:
        """What is held stays what it was over a step without a sample, for as long as that is not stale."""
        scale, patience = FIGURES[self._figure].scale, 0 if self._rolled else STALE // self._step
        last, age = None, 0
        for place, value in enumerate(found):
            if value is not None:
                last, age = self._held[place], 0
            elif last is not None and age < patience:
                age += 1
                # Not beyond the newest sample: what comes is not known yet.
                if self._start + place * self._step < self._at:
                    found[place] = last / scale
        return found


def added(lines: Iterable[Values], count: int) -> Values:
    """The sum; None where none of them has a value."""
    total: Values = [None] * count
    for line in lines:
        for place, value in enumerate(line):
            if value is not None:
                total[place] = value + (total[place] or 0.0)
    return total


def mean(values: Values) -> float:
    """Over all steps, those without a value counting as nothing: what was there briefly is not great."""
    return sum(value for value in values if value) / (len(values) or 1)
