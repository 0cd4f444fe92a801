"""The log store's own metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """Of questions: answered, failed, seconds spent, and who follows now."""

    def __init__(self) -> None:
        self.count = self.failed = self.following = 0
        self.seconds = 0.0

    def answered(self, seconds: float) -> None:
        self.count += 1
        self.seconds += seconds


def render(tally: Tally, writes: Writes | None, backend: str) -> bytes:
    """In Prometheus' text format, version 0.0.4."""
    page = Page()
    page.rows((*_questions(tally), *process(), *(_writing(writes) if writes else ())))
    page.declare("binnacle_log_store_info", "gauge", "Where the lines are kept; the value is always 1.")
    page.add("binnacle_log_store_info", 1, {"backend": backend})
    return page.text().encode()


def _questions(tally: Tally) -> Iterator[Row]:
    yield "binnacle_log_store_questions_total", "counter", "Searches, counts and top values answered.", tally.count
    yield (
        "binnacle_log_store_question_failures_total",
        "counter",
        "Questions that the backend could not answer.",
        tally.failed,
    )
    yield "binnacle_log_store_question_seconds_total", "counter", "Seconds that answers took.", tally.seconds
    yield "binnacle_log_store_followers", "gauge", "Live tails that are open.", tally.following


def _writing(writes: Writes) -> Iterator[Row]:
    yield "binnacle_log_store_lines_total", "counter", "Lines stored.", writes.added
    yield "binnacle_log_store_known_lines_total", "counter", "Lines that came again and were there.", writes.known
    yield "binnacle_log_store_rejected_lines_total", "counter", "Documents that could not be kept.", writes.rejected
    yield "binnacle_log_store_commits_total", "counter", "Groups of lines written to the disk.", writes.commits
    yield (
        "binnacle_log_store_commit_failures_total",
        "counter",
        "Groups that were refused: no room, or a broken disk.",
        writes.failed,
    )
    yield "binnacle_log_store_waiting_bytes", "gauge", "What waits to be written.", writes.waiting
    yield "binnacle_log_store_indices", "gauge", "Indices: one a day, or several.", len(writes.parts.names())
    yield (
        "binnacle_log_store_dropped_lines_total",
        "counter",
        "Lines dropped before they were too old, for room.",
        writes.parts.losses.lines,
    )
    yield "binnacle_log_store_expired_lines_total", "counter", "Lines dropped by age.", writes.parts.losses.expired
    yield (
        "binnacle_log_store_bytes",
        "gauge",
        "What the indices take on the disk.",
        sum(writes.parts.measure().values()),
    )
    yield "binnacle_log_store_limit_bytes", "gauge", "What they may take.", writes.parts.bounds.size
