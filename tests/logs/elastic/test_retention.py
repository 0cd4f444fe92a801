"""Which indices go, and that no other is touched."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logs.elastic.retention import Index, daily, expired

TODAY = date(2026, 11, 21)


def indices(*sizes: int) -> list[Index]:
    """One a day, today's first."""
    days = (TODAY - timedelta(days=ago) for ago in range(len(sizes)))
    return [Index(f"logs-{day:%Y.%m.%d}", day, size) for day, size in zip(days, sizes, strict=True)]


def test_only_our_own_indices_are_known() -> None:
    assert daily("logs-2026.11.21", 5) == Index("logs-2026.11.21", TODAY, 5)
    for name in ("logs-2026.13.01", "logs-app", "logs-2026.11.21-reindexed", ".kibana", "metrics-2026.11.21"):
        assert daily(name, 5) is None


def test_by_age() -> None:
    assert expired(indices(1, 1, 1, 1), TODAY, 2, 1000) == ["logs-2026.11.18", "logs-2026.11.19"]


def test_by_size_the_oldest_first_and_never_today() -> None:
    assert expired(indices(50, 30, 30, 30), TODAY, 100, 100) == ["logs-2026.11.18", "logs-2026.11.19"]
    assert expired(indices(500, 30), TODAY, 100, 100) == ["logs-2026.11.20"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30), st.integers(1, 40), st.integers(1, 5000))
def test_what_is_left_fits(sizes: list[int], days: int, limit: int) -> None:
    all_of_them = indices(*sizes)
    gone = set(expired(all_of_them, TODAY, days, limit))
    left = [index for index in all_of_them if index.name not in gone]
    assert TODAY in {index.day for index in left}
    assert all(index.day > TODAY - timedelta(days=days) for index in left)
    assert len(left) == 1 or sum(index.size for index in left) <= limit
