"""HorizontalPodAutoscaler: what of its metrics, its target and its behaviour is refused."""

from __future__ import annotations

from typing import Any

import pytest

from kube.objects import Json
from tests.kube.kinds.groups.pipeline import create, refused, update

V2 = "autoscaling/v2"
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
AVERAGE = {"type": "AverageValue", "averageValue": "1"}
NAMED = {"metric": {"name": "m"}, "target": AVERAGE}


def scaler(**spec: Any) -> Json:
    return create(V2, "HorizontalPodAutoscaler", spec={"scaleTargetRef": TARGET, "maxReplicas": 3, **spec})


@pytest.mark.parametrize(
    ("metric", "causes"),
    [
        ({}, {("type", "Required"), ("type", "NotSupported")}),
        ({"type": "Pods"}, {("pods", "Required")}),
        ({"type": "Pods", "pods": NAMED, "external": NAMED}, {("external", "Forbidden")}),
        (
            {"type": "Pods", "external": {}, "pods": NAMED},
            {  # the first in the order of judging is looked at
                ("external.metric.name", "Required"),
                ("external.target.type", "Required"),
                ("external.target.type", "Invalid"),
                ("external.target.averageValue", "Required"),
                ("external", "Forbidden"),
            },
        ),
        (
            {"type": "External", "external": {"metric": {"name": "m"}, "target": {**AVERAGE, "value": "1"}}},
            {("external.target.value", "Forbidden")},
        ),
        (
            {
                "type": "ContainerResource",
                "containerResource": {"name": "odd", "container": "A B", "target": AVERAGE},
            },
            {("containerResource.name", "Invalid"), ("containerResource.container", "Invalid")},
        ),
        (
            {
                "type": "Object",
                "object": {**NAMED, "describedObject": {"kind": "K", "name": "n", "apiVersion": "a/b/c"}},
            },
            {("object.describedObject.apiVersion", "Invalid")},
        ),
        (
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Odd", "averageUtilization": 0}}},
            {("resource.target.type", "Invalid"), ("resource.target.averageUtilization", "Invalid")},
        ),
    ],
)
def test_bad_metrics(metric: Json, causes: set[tuple[str, str]]) -> None:
    assert refused(scaler, metrics=[metric]) == {(f"spec.metrics[0].{field}", reason) for field, reason in causes}


def test_described_objects_need_no_group_and_selectors_are_free() -> None:
    source: dict[str, Any] = {**NAMED, "describedObject": {"kind": "Service", "name": "s"}}
    source["metric"] = {"name": "m", "selector": {"matchLabels": {"bad key!": "x"}}}
    assert scaler(metrics=[{"type": "Object", "object": source}])


def test_what_is_scaled_has_a_group() -> None:
    core = {"kind": "ReplicationController", "name": "r"}
    path = "spec.scaleTargetRef.apiVersion"
    assert scaler(scaleTargetRef=core)
    assert refused(scaler, scaleTargetRef={**core, "kind": "Deployment"}) == {(path, "Invalid")}
    old = scaler()
    old["spec"]["scaleTargetRef"] = {"kind": "Deployment", "name": "d"}
    assert update(old, {"spec": {"maxReplicas": 4}}), "what was stored so may stay"


def test_counts_and_rules() -> None:
    assert refused(scaler, maxReplicas=-1) == {("spec.maxReplicas", "Invalid")}
    assert refused(scaler, behavior={"scaleDown": {"selectPolicy": ""}}) == {
        ("spec.behavior.scaleDown.selectPolicy", "NotSupported")
    }
    old = scaler(metrics=[{"type": "External", "external": NAMED}])
    old["spec"]["minReplicas"] = 0
    assert update(old, {"spec": {"maxReplicas": 4}}), "zero stays allowed where it is"
