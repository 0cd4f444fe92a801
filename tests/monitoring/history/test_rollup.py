"""Five-minute figures: means and greatest, rates that are right over resets and gaps."""

from __future__ import annotations

from collections.abc import Sequence

from monitoring.history.figures import CPU, MEMORY, MISSING, NOTHING, RESTARTS
from monitoring.history.head import Open, Sample
from monitoring.history.rollup import GREATEST, STEP, roll

START = 1_800_000_000_000


def measured(figure: int, values: Sequence[int], every: int = 15_000, before: int | None = None) -> Open:
    """One value every 15 s; `before`: the one at the end of the half hour before."""
    one = Open(None if before is None else Sample(1, START, row(figure, before)))
    for i, value in enumerate(values):
        one.add(START + (i + 1) * every, row(figure, value))
    return one


def row(figure: int, value: int) -> list[int]:
    made = list(NOTHING)
    made[figure] = value
    return made


def test_a_gauge_has_its_mean_and_its_greatest() -> None:
    times, found = roll(measured(MEMORY, [100] * 20 + [200] * 19 + [600]), START)
    assert list(times) == [START + STEP, START + 2 * STEP]
    assert list(found[MEMORY]) == [100, 220]
    assert list(found[MEMORY + GREATEST]) == [100, 600]


def test_a_counter_has_its_rate_from_the_half_hour_before_on() -> None:
    values = [30_000_000 + 15 * 500_000 * (i + 1) for i in range(40)]
    _, found = roll(measured(CPU, values, before=30_000_000), START)
    assert list(found[CPU]) == [500_000, 500_000] == list(found[CPU + GREATEST])


def test_a_reset_counts_from_nothing() -> None:
    # Half a core; the container starts anew after ten samples, and its first is seen 7 s later.
    values = [7_500_000 * (i + 1) for i in range(10)] + [3_500_000 + 7_500_000 * i for i in range(10)]
    _, found = roll(measured(CPU, values, before=0), START)
    grown = 7_500_000 * 10 + 3_500_000 + 7_500_000 * 9
    assert found[CPU][0] == grown // 300
    assert found[CPU + GREATEST][0] == 500_000


def test_restarts_are_counted_not_rated() -> None:
    _, found = roll(measured(RESTARTS, [2] * 5 + [3] * 10 + [5] * 5 + [5] * 20, before=2), START)
    assert list(found[RESTARTS]) == [3, 0]


def test_over_a_gap_nothing_is_known() -> None:
    one = measured(CPU, [100, 200])
    one.add(START + 200_000, row(CPU, 90_000_000))
    one.add(START + 215_000, row(CPU, 90_000_000 + 15 * 1_000))
    _, found = roll(one, START)
    assert found[CPU][0] == (100 + 15_000) * 1000 // 30_000


def test_what_was_never_measured_has_no_column() -> None:
    _, found = roll(measured(MEMORY, [5, MISSING, 5]), START)
    assert set(found) == {MEMORY, MEMORY + GREATEST}
    assert found[MEMORY][0] == 5
