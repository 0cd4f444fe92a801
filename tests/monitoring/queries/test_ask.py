"""Questions are read from a URL; what cannot be answered is refused with the parameter and what to write."""

from __future__ import annotations

import pytest

from monitoring.queries.ask import MAX_POINTS, AskError, parse

NOW = 1_800_000_007.0
GOOD = {"metric": "cpu", "range": "1h"}


@pytest.mark.parametrize(
    ("span", "step"), [("15m", 15), ("1h", 15), ("6h", 45), ("24h", 180), ("7d", 1500), ("30d", 5400)]
)
def test_points_are_bounded_and_steps_are_whole(span: str, step: int) -> None:
    asked = parse({**GOOD, "range": span}, NOW, 15)
    assert asked.step == step and len(asked.times) <= MAX_POINTS
    assert asked.start % step == 0 == asked.end % step and asked.times[-1] == asked.end >= NOW
    assert asked.coarse == (span in ("7d", "30d"))


def test_the_same_moment_gives_the_same_grid() -> None:
    grids = {tuple(parse(GOOD, NOW + i, 15).times[:-1]) for i in range(5)}
    assert len(grids) == 1


def test_times_are_seconds_or_rfc_3339() -> None:
    one = parse({"metric": "cpu", "from": "1799996400", "to": "1800000000"}, NOW, 15)
    two = parse({"metric": "cpu", "from": "2027-01-15T07:00:00Z", "to": "2027-01-15T08:00:00+00:00"}, NOW, 15)
    assert one == two and not one.coarse


@pytest.mark.parametrize(
    ("query", "parameter", "words"),
    [
        ({"range": "1h"}, "metric", "is missing; write one or several of cpu, memory, rx, tx, fs, restarts"),
        ({**GOOD, "metric": "cpu,heat"}, "metric", "'heat' is none"),
        ({**GOOD, "colour": "red"}, "colour", "is not known; there are metric, node"),
        ({"metric": "cpu"}, "range", "write how far back, as in 15m, 6h or 30d, or from and to"),
        ({**GOOD, "range": "yesterday"}, "range", "write a number and s, m, h or d"),
        ({**GOOD, "range": "90d"}, "range", "is longer than 31 days"),
        ({**GOOD, "from": "1"}, "range", "write one of them"),
        ({"metric": "cpu", "from": "soon"}, "from", "write seconds since the epoch, or RFC 3339"),
        ({"metric": "cpu", "from": "1800000000", "to": "1799999000"}, "from", "is not before to"),
        ({**GOOD, "step": "-1"}, "step", "a number from 1 to"),
        ({**GOOD, "top": "1000"}, "top", "a number from 1 to 20"),
        ({**GOOD, "stat": "median"}, "stat", "it may be avg, max"),
        ({**GOOD, "namespace": "A b"}, "namespace", "is no name of a namespace"),
        ({**GOOD, "pod": "web-1"}, "namespace", "is missing: a pod has one"),
        ({**GOOD, "namespace": "shop", "container": "app"}, "pod", "is missing: a container has one"),
        ({**GOOD, "node": "n1", "namespace": "shop"}, "node", "ask for one or the other"),
        ({**GOOD, "namespace": "shop", "workload": "web"}, "workload", "write <kind>/<name>"),
        ({**GOOD, "namespace": "shop", "workload": "Job/x", "pod": "x-1"}, "workload", "a pod alone is enough"),
        ({**GOOD, "by": "colour"}, "by", "it may be node, namespace"),
        ({**GOOD, "namespace": "shop", "by": "node"}, "by", "it may be workload, pod, or be left out"),
        ({**GOOD, "metric": "restarts", "node": "n1"}, "metric", "restarts are of pods"),
    ],
)
def test_what_can_not_be_is_named(query: dict[str, str], parameter: str, words: str) -> None:
    with pytest.raises(AskError) as refused:
        parse(query, NOW, 15)
    assert refused.value.parameter == parameter
    assert words in str(refused.value) and str(refused.value).startswith(f"{parameter}: ")
