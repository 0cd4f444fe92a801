"""The autoscaler: arithmetic, and what it says without metrics."""

from __future__ import annotations

import pytest

from controllers.autoscaler import metrics, replicas
from controllers.autoscaler.controller import HorizontalPodAutoscalerController
from controllers.autoscaler.replicas import Load
from tests.controllers.drive import Drive

TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
    {"name": "a", "image": "a:1", "resources": {"requests": {"cpu": "100m"}}}]}}


@pytest.fixture
def drive(cache, monkeypatch):
    made = Drive(cache, monkeypatch, HorizontalPodAutoscalerController())
    made.namespace()
    made.create("deployments.apps", "web", {"spec": {"replicas": 2, "template": TEMPLATE,
                                                     "selector": {"matchLabels": {"app": "web"}}}})
    target = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    made.create("horizontalpodautoscalers.autoscaling", "web", {"spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "minReplicas": 1,
        "maxReplicas": 10, "metrics": [target]}})
    for number in range(2):
        made.pod(f"web-{number}", node="n", ip=f"10.0.0.{number + 1}", labels={"app": "web"}, spec=TEMPLATE["spec"])
    return made


def conditions(drive):
    found = drive.get("horizontalpodautoscalers.autoscaling", "web")["status"].get("conditions") or []
    return {c["type"]: (c["status"], c["reason"]) for c in found}


def test_without_metrics_it_says_so_and_leaves_the_workload_alone(drive):
    drive.run()
    assert conditions(drive) == {}  # the first look comes a period after the creation
    drive.offset = 20
    assert drive.again("default/web") == 15.0
    assert conditions(drive) == {"AbleToScale": ("True", "SucceededGetScale"),
                                 "ScalingActive": ("False", "FailedGetResourceMetric")}
    assert [reason for _, reason, _ in drive.events] == ["FailedGetResourceMetric", "FailedComputeMetricsReplicas"]
    assert drive.events[1][2] == (
        "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: failed to get cpu "
        "utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the "
        "server could not find the requested resource (get pods.metrics.k8s.io)")


def test_scales_up_by_utilization_and_says_why(drive, monkeypatch):
    monkeypatch.setattr(metrics, "pod_usage", lambda *_: {"web-0": 90, "web-1": 110})
    drive.offset = 20
    drive.again("default/web")
    assert drive.get("deployments.apps", "web")["spec"]["replicas"] == 4
    assert conditions(drive)["AbleToScale"] == ("True", "SucceededRescale")
    assert drive.events[-1][1:] == (
        "SuccessfulRescale", "New size: 4; reason: cpu resource utilization (percentage of request) above target")


def test_nothing_shrinks_before_the_window_is_over(drive, monkeypatch):
    monkeypatch.setattr(metrics, "pod_usage", lambda *_: {"web-0": 1, "web-1": 1})
    drive.offset = 20
    drive.again("default/web")
    assert drive.get("deployments.apps", "web")["spec"]["replicas"] == 2, "its size at the first look still counts"
    drive.offset = 20 + replicas.DOWN_WINDOW + 1
    drive.again("default/web")
    assert drive.get("deployments.apps", "web")["spec"]["replicas"] == 1


def test_an_average_value_needs_no_requests(drive, monkeypatch):
    monkeypatch.setattr(metrics, "pod_usage", lambda *_: {"bare-0": 300})
    template = {"metadata": {"labels": {"app": "bare"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}
    drive.create("deployments.apps", "bare", {"spec": {"replicas": 1, "template": template,
                                                      "selector": {"matchLabels": {"app": "bare"}}}})
    drive.pod("bare-0", node="n", ip="10.0.0.9", labels={"app": "bare"}, spec=template["spec"])
    targets = {"share": {"type": "Utilization", "averageUtilization": 50},
               "value": {"type": "AverageValue", "averageValue": "100m"}}
    for name, wanted in (("share", 1), ("value", 3)):
        drive.create("horizontalpodautoscalers.autoscaling", name, {"spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "bare"}, "maxReplicas": 10,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": targets[name]}}]}})
        drive.offset += 20
        drive.again(f"default/{name}")
        assert drive.get("deployments.apps", "bare")["spec"]["replicas"] == wanted
        if name == "share":
            assert any("missing request for cpu in container a of Pod bare-0" in text for _, _, text in drive.events)


@pytest.mark.parametrize(("use", "unready", "missing", "expected"), [
    ({"a": 50, "b": 50}, "", "", 2),           # on target
    ({"a": 54, "b": 54}, "", "", 2),           # within tolerance
    ({"a": 100, "b": 100}, "", "", 4),
    ({"a": 10, "b": 10}, "", "", 1),
    ({"a": 100, "b": 100}, "", "c", 4),        # without figures counts as idle: 200/300 of 50 %
    ({"a": 10, "b": 10}, "", "c", 3),          # as busy: the change would turn around, so none
    ({"a": 100, "b": 0}, "b", "", 2),          # starting pods count as idle: 100/200 is on target
])
def test_recommendations(use, unready, missing, expected):
    load = Load(use, dict.fromkeys("abc", 100), frozenset(unready), frozenset(missing))
    current = len(use) + len(missing)
    assert replicas.by_utilization(load, 50, current)[0] == expected


def test_limits_and_windows():
    assert replicas.limited(50, 3, 1, 20)[:2] == (6, "ScaleUpLimit")
    assert replicas.limited(50, 15, 1, 20)[:2] == (20, "TooManyReplicas")
    assert replicas.limited(0, 3, 2, 20)[:2] == (2, "TooFewReplicas")
    assert replicas.stabilized(1, 5, [(900.0, 4)], 1000.0, {}) == 4
    assert replicas.stabilized(1, 5, [(600.0, 4)], 1000.0, {}) == 1
    assert replicas.stabilized(1, 5, [], 1000.0, {"scaleDown": {"selectPolicy": "Disabled"}}) == 5
