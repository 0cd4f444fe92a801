"""When pods that are ready become available."""

from __future__ import annotations

import pytest

from controllers import pods
from kube import clock

NOW = 1_000_000.0


def pod(ready_for: float | None) -> pods.PodView:
    """A pod that has been ready for so many seconds, or is not (None)."""
    if ready_for is None:
        return pods.PodView(pods.MetaView(), pods.SpecView(), pods.StatusView("Running"))
    condition = pods.ConditionView("Ready", "True", None, clock.stamp(NOW - ready_for))
    return pods.PodView(pods.MetaView(), pods.SpecView(), pods.StatusView("Running", [condition]))


@pytest.mark.parametrize(
    ("ready_for", "min_ready", "wanted"),
    [
        ([], 10, None),
        ([None, 20.0], 10, None),  # one is not ready, one is available
        ([3.0, 8.0, None], 10, 2.0),
        ([3.0], 0, None),  # whoever is ready is available
    ],
)
def test_the_next_pod_to_become_available_decides(
    ready_for: list[float | None], min_ready: float, wanted: float | None
) -> None:
    assert pods.until_available([pod(seconds) for seconds in ready_for], min_ready, NOW) == wanted
