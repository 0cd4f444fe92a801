"""Five-minute figures of a closed half hour: mean and greatest.

Of a counter they are the rate's, over the time that was measured; what it grew by is right over resets, since a value that
fell began at nothing. Restarts are not made a rate: their "mean" is how many there were.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from monitoring.history.figures import COUNTERS, MISSING, RESTARTS
from monitoring.history.head import Open

STEP = 300_000  # milliseconds
STALE = 90_000  # milliseconds between two samples, above which what lay between is not known
GREATEST = 64  # added to a figure's number: the column with the greatest


def roll(one: Open, start: int) -> tuple[array[int], dict[int, array[int]]]:
    """(ends of the five minutes in milliseconds, columns) of the half hour from `start` (milliseconds), for `pack`."""
    buckets = sorted({(at - start - 1) // STEP for at in one.times})
    places = {bucket: place for place, bucket in enumerate(buckets)}
    columns: dict[int, array[int]] = {}
    for number, values in enumerate(one.columns):
        if values is None:
            continue
        make = _grown if COUNTERS[number] else _held
        mean, greatest = make(one, number, values, [places[(at - start - 1) // STEP] for at in one.times], len(buckets))
        columns[number], columns[number + GREATEST] = array("q", mean), array("q", greatest)
    return array("q", [start + (bucket + 1) * STEP for bucket in buckets]), columns


def _held(one: Open, number: int, values: Sequence[int], places: list[int], count: int) -> tuple[list[int], list[int]]:
    sums, seen, greatest = [0] * count, [0] * count, [MISSING] * count
    for place, value in zip(places, values, strict=True):
        if value != MISSING:
            sums[place] += value
            seen[place] += 1
            if value > greatest[place]:
                greatest[place] = value
    return [total // n if n else MISSING for total, n in zip(sums, seen, strict=True)], greatest


def _grown(one: Open, number: int, values: Sequence[int], places: list[int], count: int) -> tuple[list[int], list[int]]:
    grown, spent, greatest = [0] * count, [0] * count, [0.0] * count
    at, value = (one.before.at, one.before.values[number]) if one.before else (0, MISSING)
    for time, new, place in zip(one.times, values, places, strict=True):
        if new == MISSING:
            continue
        if value != MISSING and time - at <= STALE:
            more = new - value if new >= value else new
            grown[place] += more
            spent[place] += time - at
            greatest[place] = max(greatest[place], more if number == RESTARTS else more * 1000 / (time - at))
        at, value = time, new
    whole = [
        MISSING if not took else more if number == RESTARTS else more * 1000 // took
        for more, took in zip(grown, spent, strict=True)
    ]
    return whole, [MISSING if not took else round(most) for most, took in zip(greatest, spent, strict=True)]
