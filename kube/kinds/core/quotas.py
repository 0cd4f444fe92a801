"""ResourceQuota and LimitRange: how much a namespace, and one object in it, may ask for."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.errors import FieldError, duplicate, forbidden, invalid, required
from kube.kinds.core.base import CoreStrategy
from kube.objects import Json
from kube.quantity import NANO
from kube.registry import Context, Kind
from kube.resourcelist import (
    QUOTA,
    canonical_list,
    check_amount,
    check_container_name,
    check_name,
    check_quota_name,
    is_extended,
    is_huge_page,
    nano,
)
from kube.validation import check, check_unchanged, qualified_name

_BY_BEST_EFFORT = frozenset(("pods",))
_COMPUTE = frozenset(("pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"))
_SCOPES = {
    "BestEffort": _BY_BEST_EFFORT,
    "NotBestEffort": _COMPUTE,
    "Terminating": _COMPUTE,
    "NotTerminating": _COMPUTE,
    "PriorityClass": _COMPUTE,
    "CrossNamespacePodAffinity": _COMPUTE,
    "VolumeAttributesClass": frozenset(("persistentvolumeclaims", "requests.storage")),
}
_OPPOSITES = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
_EXISTS_ONLY = frozenset(("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"))


class ResourceQuotaStrategy(CoreStrategy):
    status = True

    def default(self, obj: Json) -> None:
        canonical_list((obj.get("spec") or {}).get("hard"))
        status = obj.get("status") or {}
        canonical_list(status.get("hard"))
        canonical_list(status.get("used"))

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj.get("spec") or {}
        hard = spec.get("hard") or {}
        errors = _check_amounts(hard, "spec.hard")
        if scopes := spec.get("scopes"):
            errors += _check_scopes("spec.scopes", scopes, scopes, hard)
        if selector := spec.get("scopeSelector"):
            expressions = selector.get("matchExpressions") or []
            for expression in expressions:
                errors += _check_expression(expression)
            errors += _check_scopes(
                "spec.scopeSelector.matchExpressions",
                [e.get("scopeName", "") for e in expressions],
                selector,
                hard,
            )
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        new, before = ((o.get("spec") or {}).get("scopes") or [] for o in (obj, old))
        return check_unchanged("spec.scopes", sorted(new), sorted(before))

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        status = obj.get("status") or {}
        return _check_amounts(status.get("hard") or {}, "status.hard") + _check_amounts(
            status.get("used") or {}, "status.used"
        )


def _check_amounts(amounts: dict[str, Any], path: str) -> list[FieldError]:
    return [
        error
        for name, value in amounts.items()
        for error in (*check_quota_name(f"{path}[{name}]", name), *check_amount(f"{path}[{name}]", name, value))
    ]


def _check_scopes(path: str, scopes: list[str], shown: Any, hard: dict[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    for scope in scopes:
        if scope not in _SCOPES:
            at, value = (path, shown) if isinstance(shown, list) else (f"{path}.scopeName", scope)
            errors.append(invalid(at, value, "unsupported scope"))
        elif any(name in QUOTA and name not in _SCOPES[scope] for name in hard):
            errors.append(invalid(path, shown, "unsupported scope applied to resource"))
    if any(a in scopes and b in scopes for a, b in _OPPOSITES):
        errors.append(invalid(path, shown, "conflicting scopes"))
    return errors


def _check_expression(expression: Json) -> list[FieldError]:
    path = "spec.scopeSelector.matchExpressions"
    operator, values = expression.get("operator", ""), expression.get("values") or []
    scope = expression.get("scopeName", "")
    errors: list[FieldError] = []
    if scope in _EXISTS_ONLY and operator != "Exists":
        errors.append(invalid(f"{path}.operator", operator, f"must be 'Exists' when scope is any of {scope}"))
    if operator in ("In", "NotIn"):
        if not values:
            errors.append(
                required(
                    f"{path}.values", "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                )
            )
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            errors.append(
                invalid(
                    f"{path}.values",
                    values,
                    "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
                )
            )
    else:
        errors.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    return errors


class LimitRangeStrategy(CoreStrategy):
    create_on_update = True

    def default(self, obj: Json) -> None:
        """Limits of containers default to the maximum, requests to the limit, else to the minimum."""
        for item in (obj.get("spec") or {}).get("limits") or ():
            for name in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
                canonical_list(item.get(name))
            if item.get("type") == "Container":
                limits = {**(item.get("max") or {}), **(item.get("default") or {})}
                requests = {**(item.get("min") or {}), **limits, **(item.get("defaultRequest") or {})}
                if limits:
                    item["default"] = limits
                if requests:
                    item["defaultRequest"] = requests

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        seen: set[str] = set()
        for i, item in enumerate((obj.get("spec") or {}).get("limits") or ()):
            path, kind = f"spec.limits[{i}]", item.get("type", "")
            wrong = check(f"{path}.type", kind, qualified_name)
            if not wrong and "/" not in kind and kind not in _LIMITED:
                wrong = [invalid(f"{path}.type", kind, "must be a standard limit type or fully qualified")]
            errors += wrong
            if kind in seen:
                errors.append(duplicate(f"{path}.type", kind))
            seen.add(kind)
            keys: dict[str, None] = {}
            fields = ["max", "min", "maxLimitRequestRatio"]
            if kind == "Pod":
                errors += [
                    forbidden(f"{path}.{name}", "may not be specified when `type` is 'Pod'")
                    for name in ("default", "defaultRequest")
                    if item.get(name)
                ]
            else:
                fields[2:2] = ["default", "defaultRequest"]
            check_resource = check_container_name if kind in ("Pod", "Container") else check_name
            for name in fields:
                for key in item.get(name) or ():
                    keys[key] = None
                    errors += check_resource(f"{path}.{name}[{key}]", key)
            if kind == "PersistentVolumeClaim" and not any(
                "storage" in (item.get(name) or {}) for name in ("min", "max")
            ):
                errors.append(
                    required(
                        f"{path}.limits",
                        "either minimum or maximum storage value is required, but neither was provided",
                    )
                )
            for key in keys:
                errors += _check_order(item, path, key)
        return errors


_ORDER = (
    ("min", "min", "max", "max"),
    ("defaultRequest", "min", "defaultRequest", "default request"),
    ("defaultRequest", "defaultRequest", "max", "max"),
    ("defaultRequest", "defaultRequest", "default", "default limit"),
    ("default", "min", "default", "default"),
    ("default", "default", "max", "max"),
)
_LIMITED = ("Pod", "Container", "PersistentVolumeClaim")
_WORDS = {"min": "min", "defaultRequest": "default request", "default": "default", "max": "max"}


def _check_order(item: Json, path: str, key: str) -> list[FieldError]:
    """min <= default request <= default <= max, as far as each is given."""
    errors: list[FieldError] = []
    for blamed, low, high, word in _ORDER:
        small, large = (item.get(low) or {}).get(key), (item.get(high) or {}).get(key)
        if small is not None and large is not None and nano(small) > nano(large):
            shown = small if blamed == "default" else item[blamed][key]  # as the real server does
            errors.append(
                invalid(
                    f"{path}.{blamed}[{key}]",
                    shown,
                    f"{_WORDS[low]} value {small} is greater than {word} value {large}",
                )
            )
    ratio = (item.get("maxLimitRequestRatio") or {}).get(key)
    if ratio is not None:
        errors += _check_ratio(item, f"{path}.maxLimitRequestRatio[{key}]", key, ratio)
    request, limit = ((item.get(name) or {}).get(key) for name in ("defaultRequest", "default"))
    if (
        (is_huge_page(key) or is_extended(key))
        and request is not None
        and limit is not None
        and nano(request) != nano(limit)
    ):
        errors.append(
            invalid(
                f"{path}.defaultRequest[{key}]",
                request,
                f"default value {limit} must equal to defaultRequest value {request} in {key}",
            )
        )
    return errors


def _check_ratio(item: Json, path: str, key: str, ratio: Any) -> list[FieldError]:
    errors = [] if nano(ratio) >= NANO else [invalid(path, ratio, f"ratio {ratio} is less than 1")]
    least, most = ((item.get(name) or {}).get(key) for name in ("min", "max"))
    if least is not None and most is not None and nano(least):
        limit = nano(most) / nano(least)
        if nano(ratio) / NANO > limit:
            errors.append(invalid(path, ratio, f"ratio {ratio} is greater than max/min = {limit:f}"))
    return errors


def _quota_cells(obj: Json, now: float) -> list[Any]:
    status = obj.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    requests: list[str] = []
    limits: list[str] = []
    for name in sorted(hard):
        column = limits if name.startswith("limits.") else requests
        column.append(f"{name}: {used.get(name, '0')}/{hard[name]}")
    return [obj["metadata"]["name"], ", ".join(requests), ", ".join(limits), c.age(obj, now)]


KINDS = (
    Kind(
        "",
        "v1",
        "ResourceQuota",
        "resourcequotas",
        short_names=("quota",),
        subresources=("status",),
        definition="io.k8s.api.core.v1.ResourceQuota",
        strategy=ResourceQuotaStrategy(),
        cells=_quota_cells,
        columns=(
            c.NAME,
            c.column("Request", description="Used and allowed amounts of requests and counts."),
            c.column("Limit", description="Used and allowed amounts of limits."),
            c.AGE,
        ),
    ),
    Kind(
        "",
        "v1",
        "LimitRange",
        "limitranges",
        short_names=("limits",),
        definition="io.k8s.api.core.v1.LimitRange",
        strategy=LimitRangeStrategy(),
    ),
)
