"""autoscaling/v1 to v2 and back. What v1 has no field for travels in annotations, as JSON."""

from __future__ import annotations

import json
from typing import Any

from kube.objects import Json

PREFIX = "autoscaling.alpha.kubernetes.io/"
METRICS, CURRENT_METRICS = PREFIX + "metrics", PREFIX + "current-metrics"
CONDITIONS, BEHAVIOR = PREFIX + "conditions", PREFIX + "behavior"


def from_v1(obj: Json) -> Json:
    """The v2 form of a v1 object, which is changed."""
    obj["apiVersion"] = "autoscaling/v2"
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    annotations = obj.get("metadata", {}).get("annotations") or {}
    metrics = _load(annotations.pop(METRICS, None), [])
    target = spec.pop("targetCPUUtilizationPercentage", None)
    if target is not None:
        metrics.insert(0, _cpu("target", {"type": "Utilization", "averageUtilization": target}))
    if metrics:
        spec["metrics"] = metrics
    if behavior := _load(annotations.pop(BEHAVIOR, None), None):
        spec["behavior"] = behavior
    current = _load(annotations.pop(CURRENT_METRICS, None), [])
    measured = status.pop("currentCPUUtilizationPercentage", None)
    if measured is not None:
        current.insert(0, _cpu("current", {"averageUtilization": measured}))
    if current:
        status["currentMetrics"] = current
    if conditions := _load(annotations.pop(CONDITIONS, None), None):
        status["conditions"] = conditions
    return _settle(obj, annotations)


def to_v1(obj: Json) -> Json:
    """The v1 form of a v2 object, which is changed."""
    obj["apiVersion"] = "autoscaling/v1"
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    annotations = obj.get("metadata", {}).get("annotations") or {}
    target, metrics = _take_cpu(spec.pop("metrics", None) or [], "target")
    if target is not None:
        spec["targetCPUUtilizationPercentage"] = target
    measured, current = _take_cpu(status.pop("currentMetrics", None) or [], "current")
    if measured is not None:
        status["currentCPUUtilizationPercentage"] = measured
    status.setdefault("currentReplicas", 0)
    status.setdefault("desiredReplicas", 0)
    for key, value in (
        (METRICS, metrics),
        (CURRENT_METRICS, current),
        (BEHAVIOR, spec.pop("behavior", None)),
        (CONDITIONS, status.pop("conditions", None)),
    ):
        if value:
            annotations[key] = json.dumps(value, separators=(",", ":"))
    obj["status"] = status
    return _settle(obj, annotations)


def _cpu(name: str, value: Json) -> Json:
    return {"type": "Resource", "resource": {"name": "cpu", name: value}}


def _take_cpu(metrics: list[Json], name: str) -> tuple[int | None, list[Json]]:
    """The first CPU utilisation among metrics, and the others."""
    rest = list(metrics)
    for i, metric in enumerate(rest):
        resource = metric.get("resource") or {}
        value = (resource.get(name) or {}).get("averageUtilization")
        if resource.get("name") == "cpu" and value is not None:
            del rest[i]
            return value, rest
    return None, rest


def _load(text: str | None, empty: Any) -> Any:
    """The JSON of an annotation; one that is not JSON was not written by us and counts as absent."""
    try:
        return json.loads(text) if text else empty
    except ValueError:
        return empty


def _settle(obj: Json, annotations: dict[str, str]) -> Json:
    if annotations:
        obj["metadata"]["annotations"] = annotations
    else:
        obj.get("metadata", {}).pop("annotations", None)
    return obj
