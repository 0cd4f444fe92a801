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
