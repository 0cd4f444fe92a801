"""Whether a node suits a pod: terms and their alternatives, integers, taints."""

from __future__ import annotations

import pytest

from kube import nodematch
from kube.objects import Json

LABELS = {"zone": "z1", "cores": "16", "big": "9223372036854775808", "odd": "1_0", "round": " 4 "}


def affinity(*terms: Json) -> Json:
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


def labelled(key: str, operator: str, *values: str) -> Json:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def named(key: str, operator: str, *values: str) -> Json:
    return {"matchFields": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("spec", "suits"),
    [
        ({}, True),
        ({"nodeSelector": {"zone": "z1"}}, True),
        ({"nodeSelector": {"zone": "z2"}}, False),
        ({"affinity": affinity(labelled("zone", "In", "z2"), labelled("cores", "Exists"))}, True),
        ({"nodeSelector": {"zone": "z2"}, "affinity": affinity(labelled("cores", "Exists"))}, False),
        ({"affinity": affinity({**labelled("cores", "Exists"), **named("metadata.name", "In", "other")})}, False),
        ({"affinity": affinity(named("metadata.name", "In", "here"))}, True),
        ({"affinity": affinity(named("metadata.name", "NotIn", "here"))}, False),
        ({"affinity": affinity(named("zone", "In", "z1"))}, False),  # a field, not the label of that name
        ({"affinity": affinity(labelled("metadata.name", "In", "here"))}, False),  # and the other way round
        ({"affinity": affinity()}, False),
        ({"affinity": affinity({})}, False),
        ({"nodeSelector": {"zone": "z1"}, "affinity": affinity({})}, False),
    ],
)
def test_what_a_pod_asks_of_its_node(spec: Json, suits: bool) -> None:
    assert nodematch.selects(spec, "here", LABELS) is suits


@pytest.mark.parametrize(
    ("key", "operator", "bound", "suits"),
    [
        ("cores", "Gt", "15", True),
        ("cores", "Gt", "16", False),
        ("cores", "Lt", "+17", True),
        ("cores", "Gt", "-1", True),
        ("none", "Lt", "1", False),
        ("zone", "Gt", "0", False),
        ("odd", "Lt", "100", False),  # Python's int() takes all of these
        ("round", "Lt", "100", False),
        ("big", "Gt", "0", False),
        ("cores", "Lt", "1_000", False),
        ("cores", "Lt", "many", False),
    ],
)
def test_numbers_are_those_of_64_bits_with_nothing_around(key: str, operator: str, bound: str, suits: bool) -> None:
    assert nodematch.selects({"affinity": affinity(labelled(key, operator, bound))}, "here", LABELS) is suits


def test_taints_that_nothing_tolerates() -> None:
    taints = [{"key": "a", "value": "1", "effect": "NoSchedule"}, {"key": "b", "effect": "PreferNoSchedule"}]
    effects = ("NoSchedule", "NoExecute")
    assert nodematch.untolerated(taints, [], effects) == taints[:1]
    assert nodematch.untolerated(taints, [{"key": "a", "value": "1"}], effects) == []
    assert nodematch.untolerated(taints, [{"key": "a", "value": "2"}], effects) == taints[:1]
    assert nodematch.untolerated(taints, [{"operator": "Exists"}], effects) == []
    assert nodematch.untolerated(taints, [{"operator": "Exists", "effect": "NoExecute"}], effects) == taints[:1]
