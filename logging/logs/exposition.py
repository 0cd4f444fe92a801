"""The log store's own metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from logs.record import Result
from telemetry.exposition import Page, Row, process

if TYPE_CHECKING:
    from logs.index.parts import Parts


class Writes(Protocol):
    """What takes lines, and counts them. `known`: came again, and were there."""

    parts: Parts
    added: int
    known: int
    rejected: int
    commits: int
    failed: int
    waiting: int

    async def write(self, lines: Sequence[bytes]) -> list[Result]: ...


class Tally:
    """Of questions: answered, failed, seconds spent, and how many follow now."""

    def __init__(self) -> None:
        self.count = self.failed = self.following = 0
        self.seconds = 0.0

    def answered(self, seconds: float) -> None:
        self.count += 1
        self.seconds += seconds


def render(tally: Tally, writes: Writes | None, backend: str) -> bytes:
    """In Prometheus' text format, version 0.0.4."""
    rows: list[Row] = [
        ("questions_total", "counter", "Searches, counts and top values answered.", tally.count),
        ("question_failures_total", "counter", "Questions that the backend could not answer.", tally.failed),
        ("question_seconds_total", "counter", "Seconds that answers took.", tally.seconds),
        ("followers", "gauge", "Live tails that are open.", tally.following),
    ]
    if writes is not None:
        parts = writes.parts
        rows += [
            ("lines_total", "counter", "Lines stored.", writes.added),
            ("known_lines_total", "counter", "Lines that came again and were there.", writes.known),
            ("rejected_lines_total", "counter", "Documents that could not be kept.", writes.rejected),
            ("commits_total", "counter", "Groups of lines written to the disk.", writes.commits),
            ("commit_failures_total", "counter", "Groups that were refused: no room, or a broken disk.", writes.failed),
            ("waiting_bytes", "gauge", "What waits to be written.", writes.waiting),
            ("indices", "gauge", "Indices: one a day, or several.", len(parts.names())),
            ("dropped_lines_total", "counter", "Lines dropped before they were too old, for room.", parts.losses.lines),
            ("expired_lines_total", "counter", "Lines dropped by age.", parts.losses.expired),
            ("bytes", "gauge", "What the indices take on the disk.", sum(parts.measure().values())),
            ("limit_bytes", "gauge", "What they may take.", parts.bounds.size),
        ]
    page = Page()
    page.rows((f"binnacle_log_store_{name}", kind, text, value) for name, kind, text, value in rows)
    page.rows(process())
    page.declare("binnacle_log_store_info", "gauge", "Where the lines are kept; the value is always 1.")
    page.add("binnacle_log_store_info", 1, {"backend": backend})
    return page.text().encode()
