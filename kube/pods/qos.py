"""The quality-of-service class of a pod, by what its containers request and are limited to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kube.pods.podutil import all_containers
from kube.resourcelist import nano

if TYPE_CHECKING:
    from kube.shapes import PodSpecLike

_COMPUTE = ("cpu", "memory")


def qos_class(spec: PodSpecLike) -> str:
    """`Guaranteed`: every container's limits for cpu and memory equal its requests; `BestEffort`: no container states
    any; else `Burstable`. Resources of the whole pod, where given, count instead of those of its containers."""
    whole = spec.get("resources")
    if whole is not None:
        return _class([whole])
    return _class([container.get("resources") or {} for container in all_containers(spec, ephemeral=False)])


def _class(resources: Sequence[Mapping[str, Any]]) -> str:
    stated = False
    guaranteed = True
    for item in resources:
        requests, limits = _positive(item.get("requests")), _positive(item.get("limits"))
        stated = stated or bool(requests or limits)
        if len(limits) < len(_COMPUTE) or any(requests.get(name, amount) != amount for name, amount in limits.items()):
            guaranteed = False
    if not stated:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _positive(amounts: dict[str, Any] | None) -> dict[str, int]:
    return {name: amount for name in _COMPUTE if amounts and name in amounts and (amount := nano(amounts[name])) > 0}
