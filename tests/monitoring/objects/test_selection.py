"""Which labels and annotations of objects become labels of samples, and under which names."""

from __future__ import annotations

import pytest

from monitoring.objects import RESOURCES
from monitoring.objects.selection import of_kind, written
from tests.monitoring.objects.build import meta

PODS = next(families for families in RESOURCES if families.plural == "pods")


def shown(patterns: list[str], labels: dict[str, str]) -> str:
    obj = {"metadata": meta("p", labels=labels), "spec": {}, "status": {}}
    lines = b"".join(PODS.selecting(labels=patterns).render(obj)).decode().splitlines()
    [line] = [line for line in lines if line.startswith("kube_pod_labels{")]
    return line.partition('uid="u-1"')[2]


@pytest.mark.parametrize(
    ("patterns", "ending"),
    [
        (["app"], ',label_app="web"} 1'),
        (["app", "none"], ',label_app="web"} 1'),
        (["none"], "} 1"),
        (["*"], ',label_app="web",label_app_kubernetes_io_name="n",label_team_red="x"} 1'),
        (["app", "*"], ',label_app="web"} 1'),
        (["app*"], ',label_app="web",label_app_kubernetes_io_name="n"} 1'),
        (["*.io/name"], ',label_app_kubernetes_io_name="n"} 1'),
        (["*a*"], "} 1"),
    ],
    ids=str,
)
def test_patterns(patterns: list[str], ending: str) -> None:
    assert shown(patterns, {"app": "web", "app.kubernetes.io/name": "n", "teamRed": "x"}) == ending


def test_nothing_is_shown_unless_somebody_asks() -> None:
    assert PODS.selecting(labels=[], annotations=[]) is PODS
    assert not any(b"kube_pod_labels" in head for head in PODS.heads), "the kind itself stays as it is"


def test_keys_that_become_one_name_are_numbered() -> None:
    found = {"a.b": "1", "a-b": "2", "a_b": "3", "a_b_conflict1": "4", "c": "5"}
    assert written(found, "label") == (
        ',label_a_b_conflict1_conflict1="2",label_a_b_conflict2="1",label_a_b_conflict3="3",'
        'label_a_b_conflict1_conflict2="4",label_c="5"'
    )


def test_a_kind_has_its_own_patterns_or_those_of_all() -> None:
    allowed = {"pods": ["app"], "*": ["team"]}
    assert (of_kind(allowed, "pods"), of_kind(allowed, "nodes"), of_kind({}, "nodes")) == (["app"], ["team"], ())
