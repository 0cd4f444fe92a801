"""One index, of a day or a part of it: a folder of tantivy's. Reads may come from any thread, writes from one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import tantivy
from tantivy import FieldType, Order, Query

from logs.index.compile import Compiler
from logs.index.schema import analyzer, schema
from logs.search.backend import MAX_TIES, Place, place

HEAP = 32 << 20  # bytes of postings that are gathered before tantivy writes a segment by itself

Row = tuple[Place, bytes]


class Span(NamedTuple):
    """The times of the first and the last line, in nanoseconds."""

    low: int
    high: int

    def with_(self, *times: int) -> Span:
        return Span(min(self.low, *times), max(self.high, *times))


NOTHING = Span(1 << 63, -(1 << 63))


class Part:
    """Raises ValueError or OSError when the folder cannot be opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._schema, self._analyzer = schema(), analyzer()
        self._index = tantivy.Index(self._schema, str(folder))
        self._index.register_tokenizer("words", self._analyzer)
        self._index.config_reader("manual", 0)  # no thread that watches the folder: commits are told
        self._index.reload()
        self.compiler = Compiler(self._index, self._schema, self._analyzer)
        self._writer: tantivy.IndexWriter | None = None
        self._pending: set[str] = set()  # ids since the last commit
        self._added = NOTHING  # the span of what was added since then
        self._used = 0.0  # when that was, monotonic
        self.span = self._span()

    # -- writing -------------------------------------------------------------------------------------------------------

    def holds(self, name: str, nanos: int) -> bool:
        """A line of this id is there: tantivy itself would keep it twice. The same line has the same time."""
        if name in self._pending:
            return True
        return self.span.low <= nanos <= self.span.high and self._index.searcher().doc_freq("id", name) > 0

    def add(self, name: str, nanos: int, document: tantivy.Document) -> None:
        if self._writer is None:
            self._writer = self._index.writer(heap_size=HEAP, num_threads=1)
        self._writer.add_document(document)
        self._pending.add(name)
        self._added = self._added.with_(nanos)
        self._used = time.monotonic()

    def commit(self) -> None:
        """Everything added is on the disk and found by searches."""
        if self._writer is not None:
            self._writer.commit()
            # Wider first: a search in between finds no line outside of it.
            self.span = self.span.with_(self._added.low, self._added.high)
            self._index.reload()
        self._pending.clear()
        self._added = NOTHING

    def rollback(self) -> None:
        """Forgets what was added since the last commit."""
        self._pending.clear()
        self._added = NOTHING
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.rollback()

    def rest(self, idle: float = 0.0) -> None:
        """Finishes merging and lets the writer's memory go, when nothing was added for so many seconds."""
        if time.monotonic() - self._used < idle:
            return
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.wait_merging_threads()
            self._index.reload()

    # -- reading -------------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> int:
        return self._index.searcher().num_docs

    @property
    def segments(self) -> int:
        return self._index.searcher().num_segments

    def _span(self) -> Span:
        searcher, everything = self._index.searcher(), Query.all_query()
        ends = [
            time
            for order in (Order.Asc, Order.Desc)
            for time, _ in searcher.search(everything, 1, count=False, order_by_field="time", order=order).hits
        ]
        return NOTHING.with_(*ends) if ends else NOTHING

    def rows(self, query: Query, limit: int, newest_first: bool, after: Place | None) -> list[Row]:
        """Up to `limit` lines in the order of (time, id), beginning after a place."""
        searcher = self._index.searcher()
        found: list[Row] = []
        if after is not None:
            tied = self._tied(searcher, query, after.time, newest_first)
            found = [row for row in tied if (row[0].id < after.id if newest_first else row[0].id > after.id)]
            bounds = (None, after.time - 1) if newest_first else (after.time + 1, None)
            query = query.and_must_match(Query.range_query(self._schema, "time", FieldType.Integer, *bounds))
        if len(found) < limit:
            found += self._ordered(searcher, query, limit - len(found), newest_first)
        return found[:limit]

    def _ordered(self, searcher: tantivy.Searcher, query: Query, limit: int, newest_first: bool) -> list[Row]:
        order = Order.Desc if newest_first else Order.Asc
        hits = searcher.search(query, limit + 1, count=False, order_by_field="time", order=order).hits
        rows = [_row(searcher, time, address) for time, address in hits]
        if len(hits) > limit:
            # Lines of one nanosecond may be cut anywhere: the last group is read whole.
            last = hits[-1][0]
            rows = [row for row in rows if row[0].time != last]
            if len(rows) < limit:
                rows += self._tied(searcher, query, last, newest_first)
        rows.sort(key=lambda row: row[0], reverse=newest_first)
        return rows

    def _tied(self, searcher: tantivy.Searcher, query: Query, time: int, newest_first: bool) -> list[Row]:
        query = query.and_must_match(Query.term_query(self._schema, "time", time))
        hits = searcher.search(query, MAX_TIES, count=False, order_by_field="time").hits
        return sorted(
            (_row(searcher, time, address) for time, address in hits), key=lambda row: row[0], reverse=newest_first
        )

    def arrived(self, query: Query, mark: int, until: int, limit: int) -> list[tuple[int, bytes]]:
        """The first lines that came after `mark` and up to `until`, in the order in which they came."""
        searcher = self._index.searcher()
        query = query.and_must_match(Query.range_query(self._schema, "seq", FieldType.Unsigned, mark + 1, until))
        hits = searcher.search(query, limit, count=False, order_by_field="seq", order=Order.Asc).hits
        return [(seq, _body(searcher, address)) for seq, address in hits]

    def aggregate(self, query: Query, wanted: dict[str, Any]) -> dict[str, Any]:
        return self._index.searcher().aggregate(query, wanted)


def _body(searcher: tantivy.Searcher, address: tantivy.DocAddress) -> bytes:
    return bytes(searcher.doc(address)["body"][0])


def _row(searcher: tantivy.Searcher, time: int, address: tantivy.DocAddress) -> Row:
    body = _body(searcher, address)
    return place(body, time), body
