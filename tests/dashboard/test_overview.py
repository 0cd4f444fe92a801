from __future__ import annotations

from dashboard.overview import assess
from tests.dashboard import world


def test_trouble_that_comes_back_soon_is_the_same_and_after_a_recovery_another() -> None:
    failing, well = (
        world.pod("a", "default", status=status) for status in (world.crashing("a"), world.running("a", 9))
    )
    first = assess("pods", failing, assess("pods", well, None, 0), 1_000)
    assert first.since == 1_000
    between = assess("pods", well, first, 1_300)
    assert between.since == 1_300
    again = assess("pods", failing, between, 1_310)
    assert again.since == 1_000
    recovered = assess("pods", well, again, 1_400)
    assert assess("pods", failing, recovered, 2_100).since == 2_100
