"""Searches over the days of the embedded store; the work is done in threads, which tantivy lets run side by side."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import orjson

from logs.index.days import Days
from logs.index.schema import COLUMNS
from logs.index.writer import Writer
from logs.query import fields
from logs.search.backend import SAMPLE, Asked, Page, Place, Top, count_values, page_of


class Embedded:
    """A `logs.search.backend.Backend`."""

    name = "embedded"

    def __init__(self, days: Days, writer: Writer) -> None:
        self._days, self._writer = days, writer

    async def search(self, asked: Asked, limit: int, newest_first: bool, after: Place | None) -> Page:
        return await asyncio.to_thread(self._search, asked, limit, newest_first, after)

    def _search(self, asked: Asked, limit: int, newest_first: bool, after: Place | None) -> Page:
        low, high = asked.low, asked.high
        if after is not None:
            low, high = (low, min(high, after.time + 1)) if newest_first else (max(low, after.time), high)
        days = self._days.between(low, high)
        rows: list[tuple[Place, bytes]] = []
        for day in reversed(days) if newest_first else days:
            rows += day.rows(day.compiler.compile(asked.within), limit + 1 - len(rows), newest_first, after)
            if len(rows) > limit:
                break
        return page_of(rows, limit)

    async def histogram(self, asked: Asked, interval: int) -> list[tuple[int, dict[str, int]]]:
        return await asyncio.to_thread(self._histogram, asked, interval)

    def _histogram(self, asked: Asked, interval: int) -> list[tuple[int, dict[str, int]]]:
        wanted = {"time": {"histogram": {"field": "ms", "interval": interval, "min_doc_count": 1},
                           "aggs": {"level": {"terms": {"field": "level", "size": 10}}}}}
        found: dict[int, Counter[str]] = {}
        for answer in self._aggregated(asked, wanted):
            for bucket in answer["time"]["buckets"]:
                levels = {one["key"]: one["doc_count"] for one in bucket["level"]["buckets"]}
                levels[""] = bucket["doc_count"] - sum(levels.values())
                found.setdefault(round(bucket["key"]), Counter()).update(levels)
        return [(start, {level: n for level, n in found[start].items() if n}) for start in sorted(found)]

    def _aggregated(self, asked: Asked, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        return [day.aggregate(day.compiler.compile(asked.within), wanted)
                for day in self._days.between(asked.low, asked.high) if day.lines]

    async def top(self, asked: Asked, field: fields.Field, limit: int) -> Top:
        return await asyncio.to_thread(self._top, asked, field, limit)

    def _top(self, asked: Asked, field: fields.Field, limit: int) -> Top:
        if field not in COLUMNS:
            return count_values([orjson.loads(line) for line in self._search(asked, SAMPLE, True, None).lines], field, limit)
        wanted = {"top": {"terms": {"field": COLUMNS[field], "size": 1000}}}
        counts: Counter[str] = Counter()
        others = 0
        for answer in self._aggregated(asked, wanted):
            counts.update({one["key"]: one["doc_count"] for one in answer["top"]["buckets"]})
            others += answer["top"]["sum_other_doc_count"]
        values = counts.most_common(limit)
        return Top(values, others + counts.total() - sum(n for _, n in values), 0)

    async def arrivals(self, asked: Asked, mark: Any, limit: int) -> tuple[list[bytes], int]:
        if mark is None:
            return [], self._writer.mark
        return await asyncio.to_thread(self._arrivals, asked, mark, limit)

    def _arrivals(self, asked: Asked, mark: int, limit: int) -> tuple[list[bytes], int]:
        found = [row for day in self._days.between(asked.low, asked.high)
                 for row in day.arrived(day.compiler.compile(asked.within), mark, limit)]
        found.sort(key=lambda row: row[0])
        return [line for _, line in found[:limit]], found[:limit][-1][0] if found else mark

    async def ready(self) -> str:
        return ""

    async def close(self) -> None:
        await asyncio.to_thread(self._writer.close)
