"""Cron schedules against hand-computed due times."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from kube import cron

START = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)  # a Thursday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * *", datetime(2026, 1, 1, 12, 1, tzinfo=UTC)),
        ("*/5 * * * *", datetime(2026, 1, 1, 12, 5, tzinfo=UTC)),
        ("0 0 * * *", datetime(2026, 1, 2, tzinfo=UTC)),
        ("30 8 * * MON", datetime(2026, 1, 5, 8, 30, tzinfo=UTC)),
        ("0 0 29 2 *", datetime(2028, 2, 29, tzinfo=UTC)),
        ("0 0 13 * 5", datetime(2026, 1, 2, tzinfo=UTC)),
        ("15,45 10-14/2 * jan ?", datetime(2026, 1, 1, 12, 15, tzinfo=UTC)),
        ("@monthly", datetime(2026, 2, 1, tzinfo=UTC)),
        ("@every 1h30m", datetime(2026, 1, 1, 13, 30, 30, tzinfo=UTC)),
    ],
)
def test_next(text: str, expected: datetime) -> None:
    assert cron.parse(text).next(START) == expected


def test_never_due() -> None:
    assert cron.parse("0 0 30 2 *").next(START) is None


def due_days(text: str, start: datetime, count: int) -> list[datetime]:
    schedule, found = cron.parse(text), [start]
    for _ in range(count):
        at = schedule.next(found[-1])
        assert at is not None
        found.append(at)
    return found[1:]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0 0 */2 * 1", ["01-31", "02-01", "02-02", "02-03"]),  # a step restricts: either day is enough
        ("0 0 1 * */3", ["01-31", "02-01", "02-04", "02-07"]),
        ("0 0 */1 * 1", ["02-02", "02-09", "02-16", "02-23"]),  # a step of one is every day
        ("0 0 5,* * 1", ["02-02", "02-09", "02-16", "02-23"]),
        ("0 0 1-31 * 1", ["01-31", "02-01", "02-02", "02-03"]),
    ],
)
def test_days_of_month_and_of_week(text: str, days: list[str]) -> None:
    start = datetime(2026, 1, 30, 10, 7, tzinfo=UTC)
    assert [f"{at:%m-%d}" for at in due_days(text, start, 4)] == days


@pytest.mark.parametrize(
    ("zone", "text", "start", "expected"),
    [
        # 02:00 to 03:00 comes twice on 25 October 2026.
        ("Europe/Berlin", "30 2 * * *", "2026-10-25T00:00", ["10-25T00:30", "10-25T01:30", "10-26T01:30"]),
        ("Europe/Berlin", "0 * * * *", "2026-10-25T01:30", ["10-25T00:00", "10-25T01:00", "10-25T02:00"]),
        ("Europe/Berlin", "0 3 * * *", "2026-10-25T00:00", ["10-25T02:00", "10-26T02:00"]),
        # Midnight is skipped on 29 March 2026 in Beirut.
        ("Asia/Beirut", "0 0 * * *", "2026-03-28T12:00", ["03-29T21:00"]),
        ("Asia/Beirut", "0 1 29 * *", "2026-03-28T12:00", ["03-28T22:00"]),
    ],
)
def test_summer_time(zone: str, text: str, start: str, expected: list[str]) -> None:
    found = due_days(text, datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone)), len(expected))
    assert [f"{at.astimezone(UTC):%m-%dT%H:%M}" for at in found] == expected


def test_a_time_that_summer_time_skips_is_not_due() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    due = cron.parse("30 2 * * *").next(datetime(2026, 3, 28, 12, tzinfo=berlin))
    assert due == datetime(2026, 3, 30, 2, 30, tzinfo=berlin)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty spec"),
        ("x", "expected exactly 5 fields, found 1: [x]"),
        ("61 * * * *", "end of range (61) above maximum (59): 61"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens"),
        ("1/2/3 * * * *", "too many slashes"),
        ("a * * * *", "failed to parse int from a"),
        ("@often", "unrecognized descriptor: @often"),
        ("@every soon", "failed to parse duration"),
    ],
)
def test_errors_say_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        cron.parse(text)
    assert message in str(error.value)
