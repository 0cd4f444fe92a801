"""Rules for the spec of a HorizontalPodAutoscaler (v2)."""

from __future__ import annotations

from collections.abc import Callable

from kube import quantity
from kube.errors import FieldError, forbidden, invalid, required
from kube.kinds.rbac import path_segment
from kube.objects import Json
from kube.resourcelist import check_container_name
from kube.validation import NOT_NEGATIVE, check_choice, check_counts, check_required, dns1123_label

SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
MAX_STABILISATION, MAX_PERIOD = 3600, 1800


def check_spec(spec: Json, before: Json) -> list[FieldError]:
    """The spec of v2; `before` is the one it replaces, empty for a new object: what was allowed there stays allowed."""
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    lowest = 0 if before.get("minReplicas") == 0 else 1
    errors: list[FieldError] = []
    if least is not None and least < lowest:
        errors.append(invalid("spec.minReplicas", least, f"must be greater than or equal to {lowest}"))
    if most == 0:
        errors.append(required("spec.maxReplicas", "must be set and greater than 0"))
    elif most < 0:
        errors.append(invalid("spec.maxReplicas", most, "must be greater than or equal to 1"))
    if least is not None and most < least:
        errors.append(invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    errors += _check_scaled(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef", before.get("scaleTargetRef") or {})
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
    """Counts of replicas are not negative."""
    return check_counts(status, "status", ("currentReplicas", "desiredReplicas"))


def _check_scaled(reference: Json, path: str, before: Json) -> list[FieldError]:
    """What is scaled. A version without a group is one of the core kinds, of which one alone can be."""
    errors = _check_named(reference, path)
    version, kind = reference.get("apiVersion") or "", reference.get("kind")
    if before and (before.get("apiVersion") or "", before.get("kind")) == (version, kind):
        return errors
    errors += _check_version(version, path)
    if len(version.strip("/").split("/")) < 2 and kind != "ReplicationController":
        errors.append(invalid(f"{path}.apiVersion", version, "apiVersion must specify API group"))
    return errors


def _check_version(version: str, path: str) -> list[FieldError]:
    if version.count("/") < 2:
        return []
    return [invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}")]


def _check_named(reference: Json, path: str) -> list[FieldError]:
    return [
        error
        for name in ("kind", "name")
        for error in check_required(f"{path}.{name}", reference.get(name), path_segment)
    ]


def _check_metric(metric: Json, path: str) -> list[FieldError]:
    kind = metric.get("type") or ""
    errors = [] if kind else [required(f"{path}.type", "must specify a metric source type")]
    errors += check_choice(f"{path}.type", kind, SOURCES)
    given = [name for name in _JUDGED if metric.get(name) is not None]
    for name in given[:1]:  # the others are too many, and not looked at
        errors += _CHECKS[name](metric[name], f"{path}.{name}")
    expected = SOURCES.get(kind)
    if expected is None:
        errors += check_choice(f"{path}.type", kind, SOURCES)
    elif metric.get(expected) is None:
        errors.append(required(f"{path}.{expected}", "must populate information for the given metric source"))
    if len(given) > 1:
        message = "must populate the given metric source only"
        errors += [forbidden(f"{path}.{name}", message) for name in given if name != expected]
    return errors


def _check_resource(source: Json, path: str) -> list[FieldError]:
    errors = [] if source.get("name") else [required(f"{path}.name", "must specify a resource name")]
    return errors + _check_share(source.get("target") or {}, f"{path}.target")


def _check_container_resource(source: Json, path: str) -> list[FieldError]:
    name, container = source.get("name"), source.get("container")
    errors = check_container_name(f"{path}.name", name) if name else []
    errors += [] if name else [required(f"{path}.name", "must specify a resource name")]
    errors += check_required(f"{path}.container", container, dns1123_label, "must specify a container")
    return errors + _check_share(source.get("target") or {}, f"{path}.target")


def _check_share(target: Json, path: str) -> list[FieldError]:
    """The target of a resource: a share of the requests, or a value."""
    errors = _check_target(target, path)
    share, value = target.get("averageUtilization"), target.get("averageValue")
    if share is None and value is None:
        message = "must set either a target raw value or a target utilization"
        errors.append(required(f"{path}.averageUtilization", message))
    elif share is not None and value is not None:
        message = "may not set both a target raw value and a target utilization"
        errors.append(forbidden(f"{path}.averageValue", message))
    return errors


def _check_pods(source: Json, path: str) -> list[FieldError]:
    target = source.get("target") or {}
    errors = _check_identifier(source, path) + _check_target(target, f"{path}.target")
    if target.get("averageValue") is None:
        errors.append(required(f"{path}.target.averageValue", "must specify a positive target averageValue"))
    return errors


def _check_object(source: Json, path: str) -> list[FieldError]:
    target, described = source.get("target") or {}, source.get("describedObject") or {}
    errors = _check_named(described, f"{path}.describedObject")
    errors += _check_version(described.get("apiVersion") or "", f"{path}.describedObject")
    errors += _check_identifier(source, path) + _check_target(target, f"{path}.target")
    if target.get("value") is None and target.get("averageValue") is None:
        errors.append(required(f"{path}.target.averageValue", "must set either a target value or averageValue"))
    return errors


def _check_external(source: Json, path: str) -> list[FieldError]:
    target = source.get("target") or {}
    value, average = target.get("value"), target.get("averageValue")
    errors = _check_identifier(source, path) + _check_target(target, f"{path}.target")
    if value is None and average is None:
        message = "must set either a target value for metric or a per-pod target"
        errors.append(required(f"{path}.target.averageValue", message))
    elif value is not None and average is not None:
        message = "may not set both a target value for metric and a per-pod target"
        errors.append(forbidden(f"{path}.target.value", message))
    return errors


def _check_identifier(source: Json, path: str) -> list[FieldError]:
    name = (source.get("metric") or {}).get("name")
    return check_required(f"{path}.metric.name", name, path_segment, "must specify a metric name")


def _check_target(target: Json, path: str) -> list[FieldError]:
    kind = target.get("type") or ""
    errors = [] if kind else [required(f"{path}.type", "must specify a metric target type")]
    if kind not in ("Utilization", "Value", "AverageValue"):
        errors.append(invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue"))
    errors += [
        invalid(f"{path}.{name}", target[name], "must be positive")
        for name in ("value", "averageValue")
        if target.get(name) is not None and quantity.parse(target[name]).nano <= 0
    ]
    share = target.get("averageUtilization")
    if share is not None and share < 1:
        errors.append(invalid(f"{path}.averageUtilization", share, "must be greater than 0"))
    return errors


_CHECKS: dict[str, Callable[[Json, str], list[FieldError]]] = {
    "object": _check_object,
    "external": _check_external,
    "pods": _check_pods,
    "resource": _check_resource,
    "containerResource": _check_container_resource,
}
_JUDGED = tuple(_CHECKS)  # in this order: of several sources the first is looked at


def _check_rules(rules: Json, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        message = "must be greater than or equal to zero"
        errors.append(invalid(f"{path}.stabilizationWindowSeconds", window, message))
    if window is not None and window > MAX_STABILISATION:
        errors.append(
            invalid(f"{path}.stabilizationWindowSeconds", window, f"must be less than or equal to {MAX_STABILISATION}")
        )
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
    if (tolerance := rules.get("tolerance")) is not None and quantity.parse(tolerance).nano < 0:
        errors.append(invalid(f"{path}.tolerance", tolerance, NOT_NEGATIVE))
    return errors
