"""Searches over the indices of the embedded store; the work is done in threads, which tantivy lets run side by side."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import orjson

from logs.index.parts import Parts
from logs.index.schema import COLUMNS
from logs.index.writer import Writer
from logs.query import fields
from logs.search.backend import SAMPLE, Asked, Page, Place, Top, count_values, page_of


class Embedded:
    """A `logs.search.backend.Backend`."""

    name = "embedded"

    def __init__(self, parts: Parts, writer: Writer) -> None:
        self._parts, self._writer = parts, writer

    async def search(self, asked: Asked, limit: int, newest_first: bool, after: Place | None) -> Page:
        return await asyncio.to_thread(self._search, asked, limit, newest_first, after)

    def _search(self, asked: Asked, limit: int, newest_first: bool, after: Place | None) -> Page:
        low, high = asked.low, asked.high
        if after is not None:
            low, high = (low, min(high, after.time + 1)) if newest_first else (max(low, after.time), high)
        # Those whose lines come first, first; times of parts may overlap.
        parts = sorted(
            self._parts.between(low, high),
            reverse=newest_first,
            key=lambda part: part.span.high if newest_first else part.span.low,
        )
        rows: list[tuple[Place, bytes]] = []
        for part in parts:
            last = rows[limit][0].time if len(rows) > limit else None
            if last is not None and (part.span.high < last if newest_first else part.span.low > last):
                break
            rows += part.rows(part.compiler.compile(asked.within), limit + 1, newest_first, after)
            rows = sorted(rows, key=lambda row: row[0], reverse=newest_first)[: limit + 1]
        return page_of(rows, limit)

    async def histogram(self, asked: Asked, interval: int) -> list[tuple[int, dict[str, int]]]:
        return await asyncio.to_thread(self._histogram, asked, interval)

    def _histogram(self, asked: Asked, interval: int) -> list[tuple[int, dict[str, int]]]:
        wanted = {
            "time": {
                "histogram": {"field": "ms", "interval": interval, "min_doc_count": 1},
                "aggs": {"level": {"terms": {"field": "level", "size": 10}}},
            }
        }
        found: dict[int, Counter[str]] = {}
        for answer in self._aggregated(asked, wanted):
            for bucket in answer["time"]["buckets"]:
                levels = {one["key"]: one["doc_count"] for one in bucket["level"]["buckets"]}
                levels[""] = bucket["doc_count"] - sum(levels.values())
                found.setdefault(round(bucket["key"]), Counter()).update(levels)
        return [(start, {level: n for level, n in found[start].items() if n}) for start in sorted(found)]

    def _aggregated(self, asked: Asked, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            part.aggregate(part.compiler.compile(asked.within), wanted)
            for part in self._parts.between(asked.low, asked.high)
            if part.lines
        ]

    async def top(self, asked: Asked, field: fields.Field, limit: int) -> Top:
        return await asyncio.to_thread(self._top, asked, field, limit)

    def _top(self, asked: Asked, field: fields.Field, limit: int) -> Top:
        if field not in COLUMNS:
            return count_values(
                [orjson.loads(line) for line in self._search(asked, SAMPLE, True, None).lines], field, limit
            )
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
        until = self._writer.mark
        found = [
            row
            for part in self._parts.between(asked.low, asked.high)
            for row in part.arrived(part.compiler.compile(asked.within), mark, until, limit)
        ]
        found.sort(key=lambda row: row[0])
        return [line for _, line in found[:limit]], found[limit - 1][0] if len(found) >= limit else max(mark, until)

    @property
    def dropped_until(self) -> int:
        return self._parts.losses.until

    async def ready(self) -> str:
        return ""

    async def close(self) -> None:
        await asyncio.to_thread(self._writer.close)
