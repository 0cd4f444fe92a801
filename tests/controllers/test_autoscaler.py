"""The autoscaler: arithmetic, and what it says without metrics."""

from __future__ import annotations

import pytest

from controllers.autoscaler import metrics, replicas, speed
from controllers.autoscaler.controller import HorizontalPodAutoscalerController
from controllers.autoscaler.replicas import Load
from tests.controllers.drive import Drive

TEMPLATE = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "a", "image": "a:1", "resources": {"requests": {"cpu": "100m"}}}]},
}


@pytest.fixture
def drive(cache, monkeypatch):
    made = Drive(cache, monkeypatch, HorizontalPodAutoscalerController())
    made.namespace()
    made.create(
        "deployments.apps",
        "web",
        {"spec": {"replicas": 2, "template": TEMPLATE, "selector": {"matchLabels": {"app": "web"}}}},
    )
    target = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
    }
    made.create(
        "horizontalpodautoscalers.autoscaling",
        "web",
        {
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "minReplicas": 1,
                "maxReplicas": 10,
                "metrics": [target],
            }
        },
    )
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
    assert conditions(drive) == {
        "AbleToScale": ("True", "SucceededGetScale"),
        "ScalingActive": ("False", "FailedGetResourceMetric"),
    }
    assert [reason for _, reason, _ in drive.events] == ["FailedGetResourceMetric", "FailedComputeMetricsReplicas"]
    assert drive.events[1][2] == (
        "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: failed to get cpu "
        "utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the "
        "server could not find the requested resource (get pods.metrics.k8s.io)"
    )


def test_scales_up_by_utilization_and_says_why(drive, monkeypatch):
    monkeypatch.setattr(metrics, "pod_usage", lambda *_: {"web-0": 90, "web-1": 110})
    drive.offset = 20
    drive.again("default/web")
    assert drive.get("deployments.apps", "web")["spec"]["replicas"] == 4
    assert conditions(drive)["AbleToScale"] == ("True", "SucceededRescale")
    assert drive.events[-1][1:] == (
        "SuccessfulRescale",
        "New size: 4; reason: cpu resource utilization (percentage of request) above target",
    )


def test_nothing_shrinks_before_the_window_is_over(drive, monkeypatch):
    monkeypatch.setattr(metrics, "pod_usage", lambda *_: {"web-0": 1, "web-1": 1})
    drive.offset = 20
    drive.again("default/web")
    assert drive.get("deployments.apps", "web")["spec"]["replicas"] == 2, "its size at the first look still counts"
    assert list(conditions(drive).items()) == [
        ("AbleToScale", ("True", "ScaleDownStabilized")),
        ("ScalingActive", ("True", "ValidMetricFound")),
        ("ScalingLimited", ("False", "DesiredWithinRange")),
    ]
    drive.offset = 20 + speed.DOWN_WINDOW + 1
    drive.again("default/web")
    assert drive.get("deployments.apps", "web")["spec"]["replicas"] == 1


def test_an_average_value_needs_no_requests(drive, monkeypatch):
    monkeypatch.setattr(metrics, "pod_usage", lambda *_: {"bare-0": 300})
    template = {"metadata": {"labels": {"app": "bare"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}
    drive.create(
        "deployments.apps",
        "bare",
        {"spec": {"replicas": 1, "template": template, "selector": {"matchLabels": {"app": "bare"}}}},
    )
    drive.pod("bare-0", node="n", ip="10.0.0.9", labels={"app": "bare"}, spec=template["spec"])
    targets = {
        "share": {"type": "Utilization", "averageUtilization": 50},
        "value": {"type": "AverageValue", "averageValue": "100m"},
    }
    for name, wanted in (("share", 1), ("value", 3)):
        drive.create(
            "horizontalpodautoscalers.autoscaling",
            name,
            {
                "spec": {
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "bare"},
                    "maxReplicas": 10,
                    "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": targets[name]}}],
                }
            },
        )
        drive.offset += 20
        drive.again(f"default/{name}")
        assert drive.get("deployments.apps", "bare")["spec"]["replicas"] == wanted
        if name == "share":
            assert any("missing request for cpu in container a of Pod bare-0" in text for _, _, text in drive.events)


def look_at_whole_pod(drive, monkeypatch, pod, container, metric):
    """The replicas after one look at a pod that uses 600m, where it and its container request this much; target: 50 %."""
    monkeypatch.setattr(metrics, "pod_usage", lambda *_: {"whole-0": 600})
    spec = {
        "resources": {"requests": pod},
        "containers": [{"name": "a", "image": "a:1", "resources": {"requests": container}}],
    }
    template = {"metadata": {"labels": {"app": "whole"}}, "spec": spec}
    drive.create(
        "deployments.apps",
        "whole",
        {"spec": {"replicas": 1, "template": template, "selector": {"matchLabels": {"app": "whole"}}}},
    )
    drive.pod("whole-0", node="n", ip="10.0.0.9", labels={"app": "whole"}, spec=spec)
    target = {"type": "Utilization", "averageUtilization": 50}
    named = {"container": "a"} if metric == "ContainerResource" else {}
    field = metric[0].lower() + metric[1:]
    drive.create(
        "horizontalpodautoscalers.autoscaling",
        "whole",
        {
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "whole"},
                "maxReplicas": 10,
                "metrics": [{"type": metric, field: {"name": "cpu", "target": target, **named}}],
                "behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 10, "periodSeconds": 60}]}},
            }
        },
    )
    drive.offset += 20
    drive.again("default/whole")
    return drive.get("deployments.apps", "whole")["spec"]["replicas"]


@pytest.mark.parametrize(
    ("pod", "metric", "expected"),
    [
        ({"cpu": "1"}, "Resource", 2),  # 600m of the pod's 1000m
        ({"cpu": "1"}, "ContainerResource", 6),  # of the container's 200m
        ({"memory": "1Gi"}, "Resource", 6),  # without CPU for the pod, the sum of its containers counts
    ],
)
def test_what_the_whole_pod_requests_comes_before_its_containers(drive, monkeypatch, pod, metric, expected):
    assert look_at_whole_pod(drive, monkeypatch, pod, {"cpu": "200m"}, metric) == expected, drive.events


def test_a_pod_that_requests_nothing_of_a_resource_has_no_utilization(drive, monkeypatch):
    assert look_at_whole_pod(drive, monkeypatch, {"memory": "1Gi"}, {}, "Resource") == 1
    assert any("missing pod-level request for cpu in Pod whole-0" in text for _, _, text in drive.events)


@pytest.mark.parametrize(
    ("use", "unready", "missing", "expected"),
    [
        ({"a": 50, "b": 50}, "", "", 2),  # on target
        ({"a": 54, "b": 54}, "", "", 2),  # within tolerance
        ({"a": 100, "b": 100}, "", "", 4),
        ({"a": 10, "b": 10}, "", "", 1),
        ({"a": 100, "b": 100}, "", "c", 4),  # without figures counts as idle: 200/300 of 50 %
        ({"a": 10, "b": 10}, "", "c", 3),  # as busy: the change would turn around, so none
        ({"a": 100, "b": 0}, "b", "", 2),  # starting pods count as idle: 100/200 is on target
    ],
)
def test_recommendations(use, unready, missing, expected):
    load = Load(use, dict.fromkeys("abc", 100), frozenset(unready), frozenset(missing))
    current = len(use) + len(missing)
    assert replicas.by_utilization(load, 50, current)[0] == expected


@pytest.mark.parametrize(
    ("behavior", "use", "expected"),
    [
        (None, 54, 4),
        (None, 57, 5),
        ({"scaleUp": {"tolerance": "50m"}}, 54, 5),  # 8 % above: more than 5 %
        ({"scaleUp": {"tolerance": "0.2"}}, 57, 4),
        ({"scaleUp": {"tolerance": "0"}, "scaleDown": {}}, 36, 3),  # the other way keeps its own
        ({"scaleDown": {"tolerance": "300m"}}, 36, 4),
    ],
)
def test_the_tolerance_of_each_way(behavior, use, expected):
    load = Load(dict.fromkeys("abcd", use), dict.fromkeys("abcd", 100))
    near = replicas.tolerance(behavior)
    assert replicas.by_utilization(load, 50, 4, near)[0] == expected
    assert replicas.by_value(load, 50, 4, near)[0] == expected


@pytest.mark.parametrize(
    ("wanted", "current", "expected", "reason"),
    [
        (50, 3, 6, "ScaleUpLimit"),
        (50, 1, 4, "ScaleUpLimit"),
        (50, 15, 20, "TooManyReplicas"),
        (1, 3, 2, "TooFewReplicas"),
        (5, 3, 5, "DesiredWithinRange"),
    ],
)
def test_limits_without_behavior(wanted, current, expected, reason):
    found, said = speed.limited(wanted, current, 2, 20, speed.Past(0, current), 1000.0, None)
    assert (found, said.reason) == (expected, reason)


def past(recommended=(), changed=()):
    made = speed.Past(-10_000, 0)
    made.recommended.extend(recommended)
    made.changed.extend(changed)
    return made


def rules(select="Max", *policies, window=None):
    return {
        "selectPolicy": select,
        "stabilizationWindowSeconds": window,
        "policies": [{"type": kind, "value": value, "periodSeconds": period} for kind, value, period in policies],
    }


FREE = rules("Max", ("Percent", 100, 15))


@pytest.mark.parametrize(
    ("behavior", "wanted", "recommended", "expected", "reason"),
    [
        (None, 1, [(900, 4)], 4, "ScaleDownStabilized"),
        (None, 1, [(600, 4)], 1, "ReadyForNewScale"),
        (None, 1, [(900, 9)], 9, "ScaleDownStabilized"),  # what could not be reached in one step is gone on with
        ({"scaleUp": FREE, "scaleDown": FREE}, 1, [(900, 4)], 4, "ScaleDownStabilized"),
        ({"scaleUp": FREE, "scaleDown": rules(window=0)}, 1, [(900, 4)], 1, "ReadyForNewScale"),
        ({"scaleUp": rules(window=60), "scaleDown": FREE}, 9, [(990, 6)], 6, "ScaleUpStabilized"),
        ({"scaleUp": rules(window=60), "scaleDown": FREE}, 9, [(930, 6)], 9, "ReadyForNewScale"),
    ],
)
def test_windows(behavior, wanted, recommended, expected, reason):
    found, said = speed.stabilized(wanted, 5, past(recommended), 1000.0, behavior)
    assert (found, said.reason) == (expected, reason)


@pytest.mark.parametrize(
    ("behavior", "wanted", "changed", "expected", "reason"),
    [
        ({"scaleDown": rules("Max", ("Pods", 1, 60))}, 2, [], 9, "ScaleDownLimit"),
        ({"scaleDown": rules("Max", ("Pods", 1, 60))}, 2, [(970, -1)], 10, "ScaleDownLimit"),
        ({"scaleDown": rules("Max", ("Pods", 1, 60))}, 2, [(930, -1)], 9, "ScaleDownLimit"),
        ({"scaleDown": rules("Max", ("Pods", 1, 60), ("Percent", 35, 60))}, 2, [], 6, "ScaleDownLimit"),
        ({"scaleDown": rules("Min", ("Pods", 1, 60), ("Percent", 35, 60))}, 2, [], 9, "ScaleDownLimit"),
        ({"scaleDown": rules("Disabled")}, 2, [], 10, "ScaleDownLimit"),
        ({}, 0, [], 1, "TooFewReplicas"),
        ({"scaleUp": rules("Max", ("Pods", 2, 60), ("Percent", 11, 60))}, 30, [], 12, "ScaleUpLimit"),
        ({"scaleUp": rules("Min", ("Pods", 2, 60), ("Percent", 5, 60))}, 30, [], 11, "ScaleUpLimit"),
        ({"scaleUp": rules("Max", ("Pods", 4, 60))}, 30, [(970, 3), (980, -1)], 12, "ScaleUpLimit"),
        ({"scaleUp": rules("Max", ("Pods", 4, 60))}, 30, [(970, 9)], 10, "ScaleUpLimit"),
        ({"scaleUp": rules("Disabled")}, 30, [], 10, "ScaleUpLimit"),
        ({"scaleUp": rules("Max", ("Percent", 900, 60))}, 60, [], 50, "TooManyReplicas"),
        ({}, 12, [], 12, "DesiredWithinRange"),
    ],
)
def test_policies(behavior, wanted, changed, expected, reason):
    whole = {"scaleUp": FREE, "scaleDown": FREE, **behavior}
    found, said = speed.limited(wanted, 10, 1, 50, past(changed=changed), 1000.0, whole)
    assert (found, said.reason) == (expected, reason)


def test_a_slow_way_down_is_kept_over_several_looks(drive, monkeypatch):
    monkeypatch.setattr(metrics, "pod_usage", lambda *_: {"web-0": 1, "web-1": 1})
    session = drive.ctx.session
    session.mutate(
        "horizontalpodautoscalers.autoscaling",
        "default",
        "web",
        lambda obj: obj["spec"].update(
            behavior={
                "scaleDown": {
                    "stabilizationWindowSeconds": 0,
                    "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
                }
            }
        ),
    )
    session.mutate("deployments.apps", "default", "web", lambda obj: obj["spec"].update(replicas=4))
    sizes = []
    for drive.offset in (20, 35, 50, 85, 150):
        drive.again("default/web")
        sizes.append(drive.get("deployments.apps", "web")["spec"]["replicas"])
    assert sizes == [3, 3, 3, 2, 1]
    assert conditions(drive)["ScalingLimited"][1] in ("DesiredWithinRange", "ScaleDownLimit")
