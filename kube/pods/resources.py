"""What a pod as a whole requests and is limited to: one way to count, for all who ask.

Containers and sidecars run together and add up; a step before them (an init container that ends) needs its own and the
sidecars started before it, and the pod needs the largest of these. What is said of the pod as a whole (`spec.resources`)
counts instead of that sum for the resources that can be said of it, and the overhead of its runtime comes on top.

Amounts are of the type that `read` makes of a written quantity: `kube.resourcelist.nano` for integers in billionths (fast),
`kube.quantity.parse` for quantities that remember their notation, `tolerant` for objects that nobody checked.

    requests(spec, nano)["cpu"] // 10**6          # milli-cores
    limits(in_force(pod), parse).get("memory")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from kube import conditions
from kube.objects import Json
from kube.pods.podutil import is_sidecar
from kube.quantity import Quantity
from kube.resourcelist import is_pod_level, nano

Written = Mapping[str, Any]  # quantities as they stand in the object, by resource name
Amount = TypeVar("Amount", int, Quantity)
Read = Callable[[Any], Amount]

# What scoring takes a container for that requests nothing, so that nodes fill evenly all the same.
SCORED: Written = {"cpu": "100m", "memory": "200Mi"}


def requests(
    spec: Mapping[str, Any], read: Read[Amount], missing: Written | None = None, overhead: bool = True
) -> dict[str, Amount]:
    """What a pod of this spec requests, by resource name. Each container that requests none of a resource in `missing`
    counts as requesting that much; so does a limited one as requesting its limit, which is what defaults make of it.
    """
    total = _of_containers(spec, "requests", read, missing)
    whole = spec.get("resources")
    if whole:
        if missing and any(is_pod_level(name) for which in ("requests", "limits") for name in whole.get(which) or ()):
            said = requests(spec, read)
            total = _of_containers(spec, "requests", read, {n: v for n, v in missing.items() if n not in said})
        _override(total, whole.get("requests"), read)
    if overhead and (more := spec.get("overhead")):
        _add(total, more, read)
    return total


def limits(spec: Mapping[str, Any], read: Read[Amount], overhead: bool = True) -> dict[str, Amount]:
    """What a pod of this spec is limited to, by resource name: the sum of what is said, with the overhead where it is
    more than nothing. `is_limited` tells whether that keeps the whole pod within it.
    """
    total = _of_containers(spec, "limits", read)
    if whole := spec.get("resources"):
        _override(total, whole.get("limits"), read)
    if overhead and (more := spec.get("overhead")):
        nothing = read("0")
        _add(total, {name: value for name, value in more.items() if name in total and nothing < total[name]}, read)
    return total


def is_limited(spec: Mapping[str, Any], name: str) -> bool:
    """Whether the pod as a whole, or each container that runs in it to the end, has a limit of a resource."""
    if tolerant(_said(spec, "limits").get(name)) > 0:
        return True
    containers = [*(spec.get("containers") or ()), *filter(is_sidecar, spec.get("initContainers") or ())]
    return bool(containers) and all(tolerant(_said(container, "limits").get(name)) > 0 for container in containers)


def of_containers(spec: Mapping[str, Any], read: Read[Amount]) -> dict[str, Amount]:
    """What the containers of a pod request, whatever is said of the pod as a whole, without overhead."""
    return _of_containers(spec, "requests", read)


def in_force(pod: Mapping[str, Any]) -> Json:
    """The pod's spec with the resources that count while a resize is under way: the most of what is asked for, what the
    node set aside and what runs; without what is asked for where the node can never give that. The spec itself, not a
    copy, when these agree.
    """
    spec: Json = pod.get("spec") or {}
    status: Json = pod.get("status") or {}
    changed: Json = {}
    pending: bool | None = None  # looked up when something differs, which is rare
    for section, of in (("containers", "containerStatuses"), ("initContainers", "initContainerStatuses")):
        held = {one.get("name"): one for one in status.get(of) or () if one.get("resources") is not None}
        for i, container in enumerate(spec.get(section) or () if held else ()):
            one = held.get(container.get("name"))
            if one is None or (section == "initContainers" and not is_sidecar(container)):
                continue
            if _differs(container, one):
                pending = _is_infeasible(pod) if pending is None else pending
                changed.setdefault(section, list(spec[section]))[i] = _holding(container, one, pending)
    if spec.get("resources") and status.get("resources") is not None and _differs(spec, status):
        changed["resources"] = _holding(spec, status, _is_infeasible(pod))["resources"]
    return {**spec, **changed} if changed else spec


def tolerant(value: Any) -> int:
    """A quantity in billionths, 0 where there is none or it cannot be read: another cluster may hold what this one would
    have refused."""
    try:
        return 0 if value is None else nano(value)
    except (TypeError, ValueError):
        return 0


def _of_containers(
    spec: Mapping[str, Any], which: str, read: Read[Amount], missing: Written | None = None
) -> dict[str, Amount]:
    total: dict[str, Amount] = {}
    for container in spec.get("containers") or ():
        _add(total, _asked(container, which, missing), read)
    steps = spec.get("initContainers")
    if not steps:
        return total
    sidecars: dict[str, Amount] = {}
    peak: dict[str, Amount] = {}
    for container in steps:
        asked = _asked(container, which, missing)
        if is_sidecar(container):
            _add(total, asked, read)
            _add(sidecars, asked, read)
            _raise(peak, sidecars)
        else:
            step = dict(sidecars)
            _add(step, asked, read)
            _raise(peak, step)
    _raise(total, peak)
    return total


def _asked(container: Json, which: str, missing: Written | None) -> Written:
    resources = container.get("resources") or {}
    found: Written = resources.get(which) or {}
    if which == "requests" and (most := resources.get("limits")) and not most.keys() <= found.keys():
        found = {**most, **found}
    return {**missing, **found} if missing else found


def _said(holder: Mapping[str, Any], which: str) -> Written:
    return (holder.get("resources") or {}).get(which) or {}


def _add(total: dict[str, Amount], more: Written, read: Read[Amount]) -> None:
    for name, value in more.items():
        amount = read(value)
        total[name] = total[name] + amount if name in total else amount


def _raise(total: dict[str, Amount], other: Mapping[str, Amount]) -> None:
    for name, amount in other.items():
        if name not in total or total[name] < amount:
            total[name] = amount


def _override(total: dict[str, Amount], whole: Written | None, read: Read[Amount]) -> None:
    for name, value in (whole or {}).items():
        if is_pod_level(name):
            total[name] = read(value)


def _differs(holder: Json, status: Json) -> bool:
    resources, runs = holder.get("resources") or {}, status["resources"]
    asked = resources.get("requests") or {}
    return (
        (runs.get("requests") or {}) != asked
        or status.get("allocatedResources", asked) != asked
        or (runs.get("limits") or {}) != (resources.get("limits") or {})
    )


def _holding(holder: Json, status: Json, infeasible: bool) -> Json:
    runs = status["resources"]
    wanted: Json = {} if infeasible else holder.get("resources") or {}
    most = {
        "requests": _most(wanted.get("requests"), runs.get("requests"), status.get("allocatedResources")),
        "limits": _most(wanted.get("limits"), runs.get("limits")),
    }
    return {**holder, "resources": {**(holder.get("resources") or {}), **most}}


def _most(*lists: Written | None) -> Written:
    most: dict[str, Any] = {}
    for one in lists:
        for name, value in (one or {}).items():
            if name not in most or tolerant(most[name]) < tolerant(value):
                most[name] = value
    return most


def _is_infeasible(pod: Mapping[str, Any]) -> bool:
    found = conditions.find(pod.get("status"), "PodResizePending")
    return found is not None and found.get("reason") == "Infeasible"
