"""Samples of objects of all kinds as kube-state-metrics 2.20 made them: recorded from it, for objects made at random.

A line of recorded.jsonl: the kind, the patterns of both allow-lists, the object, its samples.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from monitoring.objects import RESOURCES

RECORDED = [json.loads(line) for line in Path(__file__).with_name("recorded.jsonl").read_text().splitlines()]
FAMILIES = {families.plural: families for families in RESOURCES}


def read(lines: list[str]) -> Counter[Any]:
    """Samples, whatever the order of their labels and the form of their values."""
    found: Counter[Any] = Counter()
    for line in lines:
        name, _, rest = line.partition("{")
        written, _, value = rest.rpartition("} ")
        found[name, tuple(sorted(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', written))), float(value)] += 1
    return found


@pytest.mark.parametrize("case", RECORDED, ids=[f"{case['kind']}-{at}" for at, case in enumerate(RECORDED)])
def test_the_samples_are_those_of_kube_state_metrics(case: dict[str, Any]) -> None:
    families = FAMILIES[case["kind"]].selecting(annotations=case["allow"], labels=case["allow"])
    made = b"".join(families.render(case["object"])).decode().splitlines()
    assert read(made) == read(case["samples"])


def test_every_kind_is_recorded() -> None:
    assert {case["kind"] for case in RECORDED} == set(FAMILIES)
