"""Times as Kubernetes writes them: RFC 3339 in UTC, whole seconds or microseconds."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache


def now() -> str:
    """The present time, whole seconds: `2026-01-02T03:04:05Z`."""
    return stamp(time.time())


def now_micro() -> str:
    """The present time as a MicroTime: `2026-01-02T03:04:05.000006Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def stamp(seconds: float) -> str:
    """Epoch seconds as RFC 3339, whole seconds."""
    return _stamp(int(seconds))


@lru_cache(maxsize=256)
def _stamp(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def stamp_nano(nanoseconds: int) -> str:
    """Epoch nanoseconds as RFC 3339 with nine digits, as logs have it; texts sort as the times do."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{_stamp(seconds)[:-1]}.{rest:09d}Z"


def parse(text: str) -> float:
    """Epoch seconds of an RFC 3339 time; raises ValueError on anything else, also on one without a time zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: write it as 2026-01-02T03:04:05Z")
    return moment.timestamp()


def human(seconds: float) -> str:
    """A duration as kubectl prints an age: `45s`, `5m3s`, `2h`, `3d4h`, `200d`, `2y30d`."""
    s = int(seconds)
    if s < 0:
        return "<invalid>" if s < -1 else "0s"
    minutes, hours, days = s // 60, s // 3600, s // 86400
    if s < 120:
        return f"{s}s"
    if minutes < 10:
        return f"{minutes}m" + (f"{s % 60}s" if s % 60 else "")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h" + (f"{minutes % 60}m" if minutes % 60 else "")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return f"{days}d" + (f"{hours % 24}h" if hours % 24 else "")
    if days < 730:
        return f"{days}d"
    if days < 8 * 365:
        return f"{days // 365}y" + (f"{days % 365}d" if days % 365 else "")
    return f"{days // 365}y"
