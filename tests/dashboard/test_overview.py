from __future__ import annotations

from dashboard.overview import fares
from tests.dashboard import world


def test_trouble_that_comes_back_soon_is_the_same_and_after_a_recovery_another() -> None:
    failing, well = (
        world.pod("a", "default", status=status) for status in (world.crashing("a"), world.running("a", 9))
    )
    first = fares("pods", failing, fares("pods", well, None, 0), 1_000)
    assert first.since == 1_000
    between = fares("pods", well, first, 1_300)
    assert between.since == 1_300
    again = fares("pods", failing, between, 1_310)
    assert again.since == 1_000
    recovered = fares("pods", well, again, 1_400)
    assert fares("pods", failing, recovered, 2_100).since == 2_100
