"""Times as they are asked for (`2026-11-21`, `now-15m`) as nanoseconds since 1970; `kube.clock` writes them back."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

SECOND = 10**9
_UNITS = {"s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": 86_400 * SECOND, "w": 604_800 * SECOND}
_FORM = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?)?")
_RELATIVE = re.compile(r"now(?:([-+])(\d{1,6})([smhdw]))?")


def nanoseconds(text: str, now: int | None = None) -> int:
    """Of `2026-11-21T06:00:00.5Z`, `2026-11-21`, `now`, `now-15m`. Without a zone it is UTC. Raises ValueError."""
    if relative := _RELATIVE.fullmatch(text):
        sign, number, unit = relative.groups()
        shift = int(number) * _UNITS[unit] if number else 0
        return (time.time_ns() if now is None else now) + (-shift if sign == "-" else shift)
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time: write 2026-11-21T06:00:00Z, 2026-11-21, or now-15m")
    day, clock, fraction, zone = found.groups()
    moment = datetime.fromisoformat(f"{day}T{clock or '00:00'}{'+00:00' if zone in (None, 'Z') else zone}")
    return int(moment.timestamp()) * SECOND + int((fraction or "0").ljust(9, "0"))


def day(nanos: int) -> str:
    """The day of an index: `2026.11.21`."""
    return f"{datetime.fromtimestamp(nanos // SECOND, UTC):%Y.%m.%d}"
