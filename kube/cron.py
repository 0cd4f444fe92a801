"""Cron schedules: five fields or a descriptor, and the time at which one is next due.

schedule = cron.parse("*/5 8-18 * * MON-FRI")     # ValueError says what is wrong
schedule.next(datetime(2026, 1, 1, tzinfo=zone))  # first due time after that, in the same zone
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

MONTHS = {
    "jan": 1,
    "feb": 2,
    "mar": 3,
    "apr": 4,
    "may": 5,
    "jun": 6,
    "jul": 7,
    "aug": 8,
    "sep": 9,
    "oct": 10,
    "nov": 11,
    "dec": 12,
}
DAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
MINUTE = timedelta(minutes=1)
HORIZON = timedelta(days=5 * 366)  # a schedule such as "30th of February" is never due


class Bounds(NamedTuple):
    low: int
    high: int
    names: dict[str, int]


FIELDS = (Bounds(0, 59, {}), Bounds(0, 23, {}), Bounds(1, 31, {}), Bounds(1, 12, MONTHS), Bounds(0, 6, DAYS))


@dataclass(frozen=True, slots=True)
class Schedule:
    """Times at which all fields match; the day matches when day of month and day of week do (either, if both are given)."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def next(self, after: datetime) -> datetime | None:
        """The first due minute after `after`, in its zone; None when there is none within five years.

        Months and days are those of the wall clock, hours and minutes pass as they do: what a change to summer time skips
        is not due, and the hour that its end repeats is due twice.
        """
        zone = after.tzinfo
        at = after.astimezone(UTC).replace(second=0, microsecond=0) + MINUTE
        end = at + HORIZON
        while at < end:
            local = at.astimezone(zone)
            day = local.replace(hour=0, minute=0, fold=0)
            if local.month not in self.months:
                at = (day.replace(day=1) + timedelta(days=32)).replace(day=1).astimezone(UTC)
            elif not self._day_matches(local):
                at = (day + timedelta(days=1)).astimezone(UTC)
            elif local.hour not in self.hours:
                at += timedelta(minutes=60 - local.minute)
            elif local.minute not in self.minutes:
                at += MINUTE
            else:
                return local
        return None

    def _day_matches(self, at: datetime) -> bool:
        day, weekday = at.day in self.days, at.isoweekday() % 7 in self.weekdays
        return (day and weekday) if self.any_day or self.any_weekday else (day or weekday)


@dataclass(frozen=True, slots=True)
class Every:
    """A constant delay, whole seconds."""

    seconds: int

    def next(self, after: datetime) -> datetime:
        """`after` plus the delay, on a whole second."""
        due = after.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=self.seconds)
        return due.astimezone(after.tzinfo)


def parse(text: str) -> Schedule | Every:
    """A schedule of five fields, `@hourly` and its like, or `@every 1h30m`; raises ValueError."""
    if not text:
        raise ValueError("empty spec string")
    if text.startswith("@every "):
        return Every(max(1, int(duration(text[len("@every ") :]))))
    if text.startswith("@"):
        if text not in DESCRIPTORS:
            raise ValueError(f"unrecognized descriptor: {text}")
        text = DESCRIPTORS[text]
    fields = text.split()
    if len(fields) != len(FIELDS):
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    minutes, hours, days, months, weekdays = (
        frozenset(value for part in field.split(",") if part for value in _range(part, bounds))
        for field, bounds in zip(fields, FIELDS, strict=True)
    )
    return Schedule(minutes, hours, days, months, weekdays, _is_any(fields[2]), _is_any(fields[4]))


def duration(text: str) -> float:
    """Seconds of a duration such as `1h30m` or `90s`; raises ValueError."""
    parts = re.findall(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f'failed to parse duration @every {text}: time: invalid duration "{text}"')
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def _is_any(field: str) -> bool:
    """Whether a part of a field stands for every value: `*`, but not `*/2`."""
    parts = (part.partition("/") for part in field.split(","))
    return any(head.split("-")[0] in ("*", "?") and int(step or 1) == 1 for head, _, step in parts)


def _range(text: str, bounds: Bounds) -> range:
    """One part of a field: `*`, `5`, `1-5`, each with `/step`."""
    head, *steps = text.split("/")
    ends = head.split("-")
    if ends[0] in ("*", "?"):
        start, end = bounds.low, bounds.high
    elif len(ends) > 2:
        raise ValueError(f"too many hyphens: {text}")
    else:
        start = _number(ends[0], bounds.names)
        end = _number(ends[-1], bounds.names)
    step = 1
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {text}")
    if steps:
        step = _number(steps[0], {})
        end = bounds.high if len(ends) == 1 else end
    if start < bounds.low:
        raise ValueError(f"beginning of range ({start}) below minimum ({bounds.low}): {text}")
    if end > bounds.high:
        raise ValueError(f"end of range ({end}) above maximum ({bounds.high}): {text}")
    if start > end:
        raise ValueError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {text}")
    return range(start, end + 1, step)


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch(r"\d+", text):
        raise ValueError(f"failed to parse int from {text}: not a number")
    return int(text)
