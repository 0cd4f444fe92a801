"""What one object costs under a quota, and to which objects a quota with scopes applies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kube import quantity
from kube.objects import Json
from kube.pods import podutil, resources
from kube.pods.qos import qos_class
from kube.quantity import Quantity
from kube.registry import Kind
from kube.resourcelist import is_extended, is_huge_page

if TYPE_CHECKING:
    from kube.shapes import PodLike

# Kinds that are counted under their plain name beside count/NAME.
_PLAIN = frozenset(
    {"configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets", "services"}
)
_COMPUTE = ("cpu", "memory", "ephemeral-storage")


def usage(kind: Kind, obj: Json) -> dict[str, Quantity]:
    """Everything that an object may be charged for, by the names that quotas use."""
    one = quantity.of_units(1)
    found = {f"count/{kind.storage}": one}
    if kind.storage in _PLAIN:
        found[kind.storage] = one
    if kind.storage == "pods":
        return _pod(obj, found)
    if kind.storage == "services":
        spec = obj.get("spec") or {}
        type_ = spec.get("type", "ClusterIP")
        balanced = type_ == "LoadBalancer"
        on_nodes = type_ == "NodePort" or (balanced and spec.get("allocateLoadBalancerNodePorts", True))
        found["services.nodeports"] = quantity.of_units(len(spec.get("ports") or ()) if on_nodes else 0)
        found["services.loadbalancers"] = quantity.of_units(int(balanced))
    if kind.storage == "persistentvolumeclaims":
        spec = obj.get("spec") or {}
        size = quantity.parse(((spec.get("resources") or {}).get("requests") or {}).get("storage", "0"))
        found["requests.storage"] = size
        storage_class = spec.get("storageClassName")
        if storage_class:
            found[f"{storage_class}.storageclass.storage.k8s.io/requests.storage"] = size
            found[f"{storage_class}.storageclass.storage.k8s.io/persistentvolumeclaims"] = one
    return found


def _pod(pod: PodLike, found: dict[str, Quantity]) -> dict[str, Quantity]:
    """One that has ended costs nothing but its count; nor does one that should be gone: its node may be lost for long."""
    if podutil.finished(pod) or podutil.overdue(pod):
        found.pop("pods", None)
        return found
    spec = resources.in_force(pod)
    for name, amount in resources.requests(spec, quantity.parse).items():
        if name in _COMPUTE or is_huge_page(name):
            found[name] = found[f"requests.{name}"] = amount
        elif is_extended(name):
            found[f"requests.{name}"] = amount
    for name, amount in resources.limits(spec, quantity.parse).items():
        if name in _COMPUTE:
            found[f"limits.{name}"] = amount
    return found


def matches_scopes(spec: Json, storage: str, obj: Json) -> bool:
    """Whether a quota with this spec is about the object; one with scopes is about pods only."""
    wanted = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    wanted += (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    if not wanted:
        return True
    return storage == "pods" and all(_in_scope(requirement, obj) for requirement in wanted)


def _in_scope(requirement: Json, pod: PodLike) -> bool:
    name, spec = requirement["scopeName"], pod["spec"]
    if name == "PriorityClass":
        value, values = spec.get("priorityClassName"), requirement.get("values") or ()
        return {
            "Exists": bool(value),
            "DoesNotExist": not value,
            "In": value in values,
            "NotIn": value not in values,
        }.get(requirement.get("operator") or "", False)
    best_effort = ((pod.get("status") or {}).get("qosClass") or qos_class(spec)) == "BestEffort"
    terms: list[Json] = []
    for part in ("podAffinity", "podAntiAffinity"):
        affinity = (spec.get("affinity") or {}).get(part) or {}
        terms += affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        preferred = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [weighted["podAffinityTerm"] for weighted in preferred]
    cross = any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms)
    return {
        "Terminating": spec.get("activeDeadlineSeconds") is not None,
        "NotTerminating": spec.get("activeDeadlineSeconds") is None,
        "BestEffort": best_effort,
        "NotBestEffort": not best_effort,
        "CrossNamespacePodAffinity": cross,
    }.get(name, False)
