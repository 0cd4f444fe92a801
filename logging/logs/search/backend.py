"""What a store of logs answers. Both stores keep to this file, so that pages and rights are the same with either."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from logs.pairs import at, leaves
from logs.query import fields
from logs.query.nodes import Node, Range, both

MAX_LIMIT = 1000  # lines of one answer
MAX_BUCKETS = 400
MAX_TOP = 50
SAMPLE = 500  # newest lines that the top values of a `fields.…` or label are counted in
MAX_TIES = 10_000  # lines of one nanosecond that can be paged through


class Unavailable(Exception):
    """The store does not answer now; the text says why."""


class Place(NamedTuple):
    """Where a page ended: lines are ordered by time, and by id within a nanosecond."""

    time: int
    id: str


@dataclass(frozen=True, slots=True)
class Asked:
    """`tree`: what is searched for, with all that limits who may see it. Times in nanoseconds, `low` included, `high` not."""

    tree: Node
    low: int
    high: int

    @property
    def within(self) -> Node:
        return both(self.tree, Range(fields.TIME, self.low, self.high, True, False))


class Page(NamedTuple):
    """`lines`: encoded documents, each with `_id`. `next`: where the following page begins after; None at the end."""

    lines: list[bytes]
    next: Place | None


class Top(NamedTuple):
    """Values and their counts, most frequent first. `others`: lines with other values. `sampled`: lines looked at, 0: all."""

    values: list[tuple[str, int]]
    others: int
    sampled: int


class Backend(Protocol):
    """Raises Unavailable."""

    name: str

    @property
    def dropped_until(self) -> int:
        """Lines up to this time were dropped before they were too old, as all took too much room; 0: none."""

    async def search(self, asked: Asked, limit: int, newest_first: bool, after: Place | None) -> Page: ...

    async def histogram(self, asked: Asked, interval: int) -> list[tuple[int, dict[str, int]]]:
        """Buckets of `interval` milliseconds that hold lines: (beginning in ms, {level or "": lines}), in order."""

    async def top(self, asked: Asked, field: fields.Field, limit: int) -> Top: ...

    async def arrivals(self, asked: Asked, mark: Any, limit: int) -> tuple[list[bytes], Any]:
        """What came after `mark`, and the next mark, which is the backend's own. None: begin now."""

    async def ready(self) -> str:
        """Why it cannot answer, "" when it can."""

    async def close(self) -> None: ...


def place(line: bytes, time: int) -> Place:
    """The place of an encoded document that begins with its id."""
    return Place(time, line[8 : line.index(b'"', 8)].decode())


def page_of(rows: Sequence[tuple[Place, bytes]], limit: int) -> Page:
    """The first rows, and where to go on when there are more."""
    shown = rows[:limit]
    return Page([line for _, line in shown], shown[-1][0] if len(rows) > limit and shown else None)


def count_values(documents: Sequence[Any], field: fields.Field, limit: int) -> Top:
    """Top values of a label or JSON field in decoded documents."""
    counts: Counter[str] = Counter()
    for found in documents:
        counts.update({value for key, value in leaves(at(found, field.path)) if key == field.key})
    values = counts.most_common(limit)
    return Top(values, sum(counts.values()) - sum(count for _, count in values), len(documents))
