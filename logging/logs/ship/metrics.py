"""What the shipper counts, and the text that Prometheus reads."""

from __future__ import annotations

import time
from collections.abc import Iterable

PREFIX = "binnacle_log_shipper_"
Row = tuple[str, str, str, float]  # type, name, help, value


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
        yield "counter", "lines_read_total", "Lines read from files.", self.lines
        yield "counter", "documents_shipped_total", "Documents that the store has acknowledged.", self.shipped
        yield "counter", "documents_rejected_total", "Documents that the store refused, kept aside.", self.rejected
        yield "counter", "retries_total", "Attempts after which documents had to be sent again.", self.retries
        yield (
            "counter",
            "files_lost_total",
            "Files that were removed or damaged before they were read to their end.",
            self.lost,
        )
        yield "counter", "files_truncated_total", "Files that were cut short in their place.", self.truncated
        yield "gauge", "store_up", "Whether the store takes documents.", float(not self.failing)


def render(rows: Iterable[Row]) -> bytes:
    """The text format 0.0.4."""
    parts = []
    for kind, name, text, value in rows:
        parts.append(
            f"# HELP {PREFIX}{name} {text}\n# TYPE {PREFIX}{name} {kind}\n{PREFIX}{name} {value:g}\n"
            if isinstance(value, float)
            else f"# HELP {PREFIX}{name} {text}\n# TYPE {PREFIX}{name} {kind}\n{PREFIX}{name} {value}\n"
        )
    return "".join(parts).encode()
