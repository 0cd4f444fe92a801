"""Rules for the spec of a HorizontalPodAutoscaler (v2)."""

from __future__ import annotations

from kube import quantity
from kube.errors import FieldError, forbidden, invalid, not_supported, required
from kube.kinds.rbac import path_segment
from kube.objects import Json
from kube.validation import (
    NOT_NEGATIVE,
    check_choice,
    check_counts,
    check_label_selector,
    check_not_negative,
    check_required,
)

SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
MAX_STABILISATION, MAX_PERIOD = 3600, 1800


def check_spec(spec: Json) -> list[FieldError]:
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    errors: list[FieldError] = []
    if least is not None and least < 1:
        errors.append(invalid("spec.minReplicas", least, "must be greater than or equal to 1"))
    if most < 1:
        errors.append(required("spec.maxReplicas", "must be set and greater than 0"))
    if least is not None and most < least:
        errors.append(invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    errors += _check_reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef")
    metrics = spec.get("metrics") or []
    for i, metric in enumerate(metrics):
        errors += _check_metric(metric, f"spec.metrics[{i}]")
    if least == 0 and not any(m.get("type") in ("Object", "External") for m in metrics):
        errors.append(
            forbidden(
                "spec.metrics",
                "must specify at least one Object or External metric to support scaling to zero replicas",
            )
        )
    for name in ("scaleUp", "scaleDown"):
        if rules := (spec.get("behavior") or {}).get(name):
            errors += _check_rules(rules, f"spec.behavior.{name}")
    return errors


def check_status(status: Json) -> list[FieldError]:
    return check_counts(status, "status", ("currentReplicas", "desiredReplicas"))


def _check_reference(reference: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name in ("kind", "name"):
        value = reference.get(name)
        errors += check_required(f"{path}.{name}", value, path_segment)
    version = reference.get("apiVersion") or ""
    # Core kinds other than ReplicationController cannot be scaled: an empty group is a mistake.
    if version == "" and reference.get("kind") != "ReplicationController":
        errors.append(invalid(f"{path}.apiVersion", version, "apiVersion must specify API group"))
    return errors


def _check_metric(metric: Json, path: str) -> list[FieldError]:
    kind = metric.get("type") or ""
    if not kind:
        return [required(f"{path}.type", "must specify a metric source type")]
    if kind not in SOURCES:
        return [not_supported(f"{path}.type", kind, SOURCES)]
    source = metric.get(SOURCES[kind])
    if source is None:
        return [required(f"{path}.{SOURCES[kind]}", "must populate information for the given metric source")]
    extra = [name for name in SOURCES.values() if name != SOURCES[kind] and metric.get(name) is not None]
    errors = [forbidden(f"{path}.{name}", "must populate the given metric source only") for name in extra]
    return errors + _check_source(kind, source, f"{path}.{SOURCES[kind]}")


def _check_source(kind: str, source: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    target = source.get("target") or {}
    if kind in ("Resource", "ContainerResource"):
        texts = {"name": "must specify a resource name"}
        if kind == "ContainerResource":
            texts["container"] = "must specify a container"
        errors += [required(f"{path}.{name}", text) for name, text in texts.items() if not source.get(name)]
        errors += _check_target(target, f"{path}.target")
        share, value = target.get("averageUtilization"), target.get("averageValue")
        if share is None and value is None:
            message = "must set either a target raw value or a target utilization"
            errors.append(required(f"{path}.target.averageUtilization", message))
        elif share is not None and value is not None:
            message = "may not set both a target raw value and a target utilization"
            errors.append(forbidden(f"{path}.target.averageValue", message))
        return errors
    if kind == "Object":
        errors += _check_reference(source.get("describedObject") or {}, f"{path}.describedObject")
    metric, at = source.get("metric") or {}, f"{path}.metric"
    name = metric.get("name") or ""
    errors += check_required(f"{at}.name", name, path_segment)
    errors += check_label_selector(f"{at}.selector", metric.get("selector"))
    errors += _check_target(target, f"{path}.target")
    if kind == "Pods":
        if target.get("averageValue") is None:
            errors.append(required(f"{path}.target.averageValue", "must specify a positive target averageValue"))
    elif target.get("value") is None and target.get("averageValue") is None:
        errors.append(required(f"{path}.target.averageValue", "must set either a target value or averageValue"))
    return errors


def _check_target(target: Json, path: str) -> list[FieldError]:
    kind = target.get("type") or ""
    errors = [] if kind else [required(f"{path}.type", "must specify a metric target type")]
    if kind:
        errors += check_choice(f"{path}.type", kind, ("Utilization", "Value", "AverageValue"))
    for name in ("value", "averageValue"):
        if target.get(name) is not None and quantity.parse(target[name]).nano <= 0:
            errors.append(invalid(f"{path}.{name}", target[name], "must be positive"))
    share = target.get("averageUtilization")
    if share is not None and share < 1:
        errors.append(invalid(f"{path}.averageUtilization", share, "must be greater than 0"))
    return errors


def _check_rules(rules: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    window = rules.get("stabilizationWindowSeconds")
    errors += check_not_negative(f"{path}.stabilizationWindowSeconds", window)
    if window is not None and window > MAX_STABILISATION:
        errors.append(
            invalid(f"{path}.stabilizationWindowSeconds", window, f"must be less than or equal to {MAX_STABILISATION}")
        )
    if (tolerance := rules.get("tolerance")) is not None and quantity.parse(tolerance).nano < 0:
        errors.append(invalid(f"{path}.tolerance", tolerance, NOT_NEGATIVE))
    if rules.get("selectPolicy") is not None:
        errors += check_choice(f"{path}.selectPolicy", rules["selectPolicy"], ("Disabled", "Max", "Min"))
    if not rules.get("policies"):
        errors.append(required(f"{path}.policies", "must specify at least one Policy"))
    for i, policy in enumerate(rules.get("policies") or ()):
        at = f"{path}.policies[{i}]"
        value, period = policy.get("value") or 0, policy.get("periodSeconds") or 0
        errors += check_choice(f"{at}.type", policy.get("type", ""), ("Percent", "Pods"))
        if value <= 0:
            errors.append(invalid(f"{at}.value", value, "must be greater than zero"))
        if period <= 0:
            errors.append(invalid(f"{at}.periodSeconds", period, "must be greater than zero"))
        if period > MAX_PERIOD:
            errors.append(invalid(f"{at}.periodSeconds", period, f"must be less than or equal to {MAX_PERIOD}"))
    return errors
