"""Resource lists (`{"cpu": "500m"}`): canonical quantities, and the rules for names and amounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from kube import quantity
from kube.errors import FieldError, forbidden, invalid, required
from kube.validation import NOT_NEGATIVE, qualified_name

NameCheck = Callable[[str, str], list[FieldError]]

MILLI = 10**6
NOT_INTEGER = "must be an integer"
CONTAINER = frozenset(("cpu", "memory", "ephemeral-storage"))
_COUNTED = frozenset(
    (
        "pods",
        "services",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    )
)
QUOTA = (
    frozenset(
        (
            "cpu",
            "memory",
            "ephemeral-storage",
            "requests.cpu",
            "requests.memory",
            "requests.storage",
            "requests.ephemeral-storage",
            "limits.cpu",
            "limits.memory",
            "limits.ephemeral-storage",
        )
    )
    | _COUNTED
)
STANDARD = QUOTA | {"storage"}
HUGE_PAGES = "hugepages-"


@lru_cache(maxsize=8192)
def _canonical(text: str) -> str:
    parsed = quantity.parse(text)
    if not parsed.nano % MILLI:
        return str(parsed)
    step = MILLI if parsed.nano > 0 else -MILLI
    return str(quantity.Quantity((int(abs(parsed.nano)) // MILLI + 1) * step, parsed.notation))


def canonical_list(resources: dict[str, Any] | None) -> None:
    """Bring every quantity of a resource list into the form the API stores, rounded up to thousandths, in place."""
    if resources:
        for name, value in resources.items():
            resources[name] = _canonical(value if type(value) is str else repr(value))


@lru_cache(maxsize=8192)
def nano(value: Any) -> int:
    """A quantity in billionths."""
    return quantity.parse(value).nano


def is_huge_page(name: str) -> bool:
    """Whether a resource is memory in huge pages (`hugepages-2Mi`)."""
    return name.startswith(HUGE_PAGES)


def is_pod_level(name: str) -> bool:
    """Whether a pod as a whole can be given a resource."""
    return name in ("cpu", "memory") or is_huge_page(name)


def is_native(name: str) -> bool:
    """Whether Kubernetes itself defines a resource: no domain, or one of kubernetes.io."""
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    """Whether a resource is one that nodes advertise by a vendor's name, such as `example.com/gpu`."""
    return not is_native(name) and not name.startswith("requests.") and not qualified_name(f"requests.{name}")


def is_integer_only(name: str) -> bool:
    """Whether amounts of a resource are counts."""
    return name in _COUNTED or is_extended(name)


def check_name(path: str, name: str) -> list[FieldError]:
    """A resource's name, in any place."""
    if name in STANDARD or is_huge_page(name):
        return []
    errors = [invalid(path, name, m) for m in qualified_name(name)]
    if not errors and "/" not in name:
        errors.append(invalid(path, name, "must be a standard resource type or fully qualified"))
    return errors


def check_container_name(path: str, name: str) -> list[FieldError]:
    """A resource's name in a container's requests or limits."""
    if name in CONTAINER:
        return []
    errors = check_name(path, name)
    if "/" not in name:
        if not is_huge_page(name):
            errors.append(invalid(path, name, "must be a standard resource for containers"))
    elif not is_native(name) and not is_extended(name):
        errors.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return errors


def check_quota_name(path: str, name: str) -> list[FieldError]:
    """A resource's name in a ResourceQuota."""
    errors = check_name(path, name)
    if "/" not in name and name not in QUOTA and not is_huge_page(name.removeprefix("requests.")):
        errors.append(invalid(path, name, "must be a standard resource for quota"))
    return errors


def check_amount(path: str, name: str, value: Any) -> list[FieldError]:
    """An amount: not negative, and whole where the resource is counted."""
    amount = nano(value)
    errors = [invalid(path, str(value), NOT_NEGATIVE)] if amount < 0 else []
    if amount % quantity.NANO and is_integer_only(name):
        errors.append(invalid(path, str(value), NOT_INTEGER))
    return errors


def check_requirements(
    path: str, resources: Mapping[str, Any], name_check: NameCheck = check_container_name
) -> list[FieldError]:
    """`resources` of a container: names, amounts, requests within limits, huge pages with memory."""
    limits: Mapping[str, Any] = resources.get("limits") or {}
    requests: Mapping[str, Any] = resources.get("requests") or {}
    errors: list[FieldError] = []
    for name, value in limits.items():
        errors += _check_entry(f"{path}.limits[{name}]", name, value, name_check)
    for name, value in requests.items():
        errors += _check_entry(f"{path}.requests[{name}]", name, value, name_check)
        errors += check_within_limit(path, name, value, limits)
    used = limits.keys() | requests.keys()
    if any(map(is_huge_page, used)) and not used & {"cpu", "memory"}:
        errors.append(forbidden(path, "HugePages require cpu or memory"))
    return errors


def _check_entry(path: str, name: str, value: Any, name_check: NameCheck) -> list[FieldError]:
    errors = name_check(path, name) + check_amount(path, name, value)
    if is_huge_page(name) and not errors:
        try:
            size = nano(name.removeprefix(HUGE_PAGES))
        except ValueError:
            return [invalid(path, name, "the size after hugepages- must be a quantity such as 2Mi")]
        if size > 0 and nano(value) % size:
            errors.append(invalid(path, str(value), f"{value} is not positive integer multiple of {name}"))
    return errors


def check_within_limit(path: str, name: str, value: Any, limits: Mapping[str, Any]) -> list[FieldError]:
    """A request must not exceed its limit; of what cannot be shared it must equal it."""
    fixed = is_huge_page(name) or is_extended(name)
    if name not in limits:
        return [required(f"{path}.limits", "Limit must be set for non overcommitable resources")] if fixed else []
    limit = limits[name]
    if fixed and nano(value) != nano(limit):
        return [invalid(f"{path}.requests", str(value), f"must be equal to {name} limit of {limit}")]
    if nano(value) > nano(limit):
        return [invalid(f"{path}.requests", str(value), f"must be less than or equal to {name} limit of {limit}")]
    return []
