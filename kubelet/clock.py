"""Times as the API writes them."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def rfc3339(seconds: float | None = None) -> str:
    """Whole seconds, UTC: `2026-01-02T03:04:05Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() if seconds is None else seconds))


def micro(seconds: float | None = None) -> str:
    """A MicroTime: `2026-01-02T03:04:05.000006Z`."""
    moment = datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time; ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: write it as 2026-01-02T03:04:05Z")
    return moment.timestamp()
