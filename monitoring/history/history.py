"""The history as a whole: scrapes go in, samples of any entity come out, of the day at full resolution, of the month rolled
up. Everything here blocks; the head is only ever changed by one thread at a time.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from monitoring.history import columns, head, rollup, store
from monitoring.history.entities import Entity
from monitoring.history.figures import MISSING
from monitoring.history.head import Head, Open, Sample
from monitoring.history.store import SPAN, Store

log = logging.getLogger("monitoring.history")
FORGET = 2 * SPAN * 1000  # milliseconds without a sample after which an entity's number is looked up in the file again


class Piece(NamedTuple):
    """Samples of one figure: `times` in milliseconds, `values` as stored; MISSING where it was not measured."""

    times: array[int]
    values: array[int]


class History:
    """Opened from a folder; raises sqlite3.Error or OSError when that cannot be written to."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.store = Store(folder / "history.db", limit)
        self._numbers: dict[Entity, int] = {}
        self._seen: dict[int, Entity] = {}
        self._head: Head | None = None
        self._closing: Head | None = None
        self._changing = threading.Lock()
        self.failed = 0  # scrapes that could not be written; they are in memory until their half hour closes
        self.newest = 0  # milliseconds of the last scrape
        # What a kill left of the half hour that was open.
        for at in self.store.scrapes():
            try:
                samples = head.decode(self.store.scrape(at))
            except ValueError as error:
                log.error("the scrape of %d is left out: %s", at, error)
                continue
            self._into_head(at, samples)

    def close(self) -> None:
        self.store.close()

    # -- writing -------------------------------------------------------------------------------------------------------

    def number(self, entities: Iterable[Entity], now: int) -> dict[Entity, int]:
        """The numbers of entities. `now`: milliseconds."""
        wanted = set(entities)
        new = [entity for entity in wanted if entity not in self._numbers]
        if new:
            for entity, number in zip(new, self.store.number(new, now), strict=True):
                self._numbers[entity], self._seen[number] = number, entity
        return {entity: self._numbers[entity] for entity in wanted}

    def add(self, at: int, samples: list[Sample]) -> None:
        """One scrape, at `at` (milliseconds). It is on the disk when this returns, unless that fails: see `failed`."""
        with self._changing:
            taken = self._into_head(at, samples)
            if taken:
                try:
                    self.store.add_scrape(at, head.encode(taken))
                except sqlite3.Error as error:
                    self.failed += 1
                    log.error("a scrape could not be written: %s", error)

    def _into_head(self, at: int, samples: list[Sample]) -> list[Sample]:
        start = at // 1000 // SPAN * SPAN
        if self._head is None:
            self._head = Head(start)
        elif self._head.start != start:
            self._close_head(start)
        self.newest = at
        return self._head.add(samples)

    def _close_head(self, start: int) -> None:
        """Turns the open half hour into chunks. When the disk refuses, it is lost but for what was read of it."""
        old = self._head
        assert old is not None
        self._closing, self._head = old, old.followed(start)
        chunks, rollups, lasts = [], [], []
        for number, one in old.series.items():
            if one.times:
                present = {place: values for place, values in enumerate(one.columns) if values is not None}
                chunks.append((old.start, number, columns.pack(one.times, present)))
                rollups.append((old.start, number, columns.pack(*rollup.roll(one, old.start * 1000))))
                lasts.append((one.times[-1], number))
        try:
            self.store.close_span(chunks, rollups, lasts, start * 1000)
            self.store.drop_old(max(start, old.start))
        except sqlite3.Error as error:
            self.failed += 1
            log.error("the half hour from %d could not be written: %s", old.start, error)
        kept, before = self._head.series, start * 1000 - FORGET
        for number in [n for n in self._seen if n not in kept or kept[n].newest() < before]:
            del self._numbers[self._seen.pop(number)]
        self._closing = None

    # -- reading -------------------------------------------------------------------------------------------------------

    def entities(self, since: int, **fields: str) -> list[tuple[int, Entity]]:
        """Those with these fields that were measured since then (milliseconds), or somewhat earlier."""
        return self.store.entities(since, **fields)

    def samples(
        self, numbers: Iterable[int], figures: tuple[int, ...], start: int, end: int
    ) -> Iterator[tuple[int, dict[int, Piece]]]:
        """(number, samples by figure) of each half hour between two times (milliseconds) at full resolution, oldest first."""
        yield from self._read("chunks", list(numbers), figures, figures, start, end)

    def rolled(
        self, numbers: Iterable[int], figures: tuple[int, ...], start: int, end: int, greatest: bool = False
    ) -> Iterator[tuple[int, dict[int, Piece]]]:
        """As `samples`, but five-minute means, or the greatest: of counters the rates, in stored units a second."""
        kept = tuple(figure + rollup.GREATEST for figure in figures) if greatest else figures
        yield from self._read("rollups", list(numbers), figures, kept, start, end)

    def _read(
        self, table: str, numbers: list[int], figures: tuple[int, ...], kept: tuple[int, ...], start: int, end: int
    ) -> Iterator[tuple[int, dict[int, Piece]]]:
        # In this order: what is being closed meanwhile is seen in memory or in the file, and twice at worst.
        in_memory = [one for one in (self._closing, self._head) if one is not None]
        first = start // 1000 - SPAN

        def pieces(times: array[int], found: Mapping[int, array[int]]) -> dict[int, Piece]:
            return {
                figure: Piece(times, found[place])
                for figure, place in zip(figures, kept, strict=True)
                if place in found
            }

        for number, body in self.store.bodies(table, numbers, first, end // 1000):
            try:
                times, found = columns.unpack(body)
            except ValueError as error:
                log.error("a half hour of entity %d is left out: %s", number, error)
                continue
            yield number, pieces(times, found)
        for one in in_memory:
            for number in numbers:
                series = one.series.get(number)
                if series is None or not series.times:
                    continue
                # The samples as they are now, while another thread may add to them: it adds to the times last.
                copy = Open(series.before)
                copy.times = series.times[:]
                copy.columns = [None if c is None else c[: len(copy.times)] for c in series.columns]
                if table == "rollups":
                    yield number, pieces(*rollup.roll(copy, one.start * 1000))
                else:
                    yield number, pieces(copy.times, {n: c for n, c in enumerate(copy.columns) if c is not None})


def sizes(history: History) -> dict[str, int]:
    """What the process tells of itself: bytes on the disk, entities and samples in memory."""
    open_head = history._head
    series = open_head.series.values() if open_head else ()
    return {
        "bytes": history.store.used(),
        "entities": len(history._numbers),
        "samples": sum(len(one.times) for one in series),
    }


__all__ = ["MISSING", "History", "Piece", "sizes", "store"]
