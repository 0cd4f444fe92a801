"""What the shipper counts, and the text that Prometheus reads."""

from __future__ import annotations

import time
from collections.abc import Iterable

from telemetry.exposition import Row


class Metrics:
    """Counters of one shipper. `failing` says why the store does not take documents, or nothing."""

    def __init__(self) -> None:
        self.lines = self.shipped = self.rejected = self.retries = 0
        self.lost = self.truncated = self.abandoned = 0
        self.failing = ""
        self.failing_since = 0.0

    def store_answered(self) -> None:
        self.failing = ""

    def store_failed(self, why: str) -> None:
        if not self.failing:
            self.failing_since = time.monotonic()
        self.failing = why

    def down_for(self) -> float:
        """Seconds since the store last took something; 0 while it does."""
        return time.monotonic() - self.failing_since if self.failing else 0.0

    def rows(self) -> Iterable[Row]:
        yield "lines_read_total", "counter", "Lines read from files.", self.lines
        yield (
            "documents_shipped_total",
            "counter",
            "Documents that the store has acknowledged.",
            self.shipped,
        )
        yield (
            "documents_rejected_total",
            "counter",
            "Documents that the store refused, kept aside.",
            self.rejected,
        )
        yield (
            "retries_total",
            "counter",
            "Attempts after which documents had to be sent again.",
            self.retries,
        )
        yield (
            "files_lost_total",
            "counter",
            "Files that were removed or damaged before they were read to their end.",
            self.lost,
        )
        yield (
            "files_truncated_total",
            "counter",
            "Files that were cut short in their place.",
            self.truncated,
        )
        yield "store_up", "gauge", "Whether the store takes documents.", float(not self.failing)
