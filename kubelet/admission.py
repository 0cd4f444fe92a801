"""Whether the node takes a pod that is bound to it: many are bound by their author and not by the scheduler. Pure.

What is refused fails for good, and says why in its status, as with Kubernetes' kubelet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kube import nodematch
from kube.objects import Json
from kube.pods import podutil, resources, sysctls
from kube.resourcelist import nano

if TYPE_CHECKING:
    from kube.shapes import PodLike

# What the node's labels and taints decide: these may have changed since the node was last read.
OF_THE_NODE = ("NodeAffinity", "TaintToleration")


class Refusal(NamedTuple):
    reason: str
    message: str


def refuse(pod: PodLike, node: Json, others: Collection[PodLike], shared_network: bool = False) -> Refusal | None:
    """Why the node does not take the pod beside the others that it has; None when it does.

    `shared_network`: pods share the machine's network, whatever their specs say.
    """
    return (
        _of_sysctls(pod, shared_network)
        or _of_system(pod)
        or _of_resources(pod, node, others)
        or _of_place(pod, node)
        or _of_ports(pod, others)
        or _of_taints(pod, node)
    )


def refuse_resize(pod: PodLike, node: Json, others: Collection[PodLike]) -> Refusal | None:
    """Why the node does not give a pod that it has what the pod asks for now: it never can, or not for now."""
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    wanted = resources.requests(pod["spec"], nano)
    for name, unit in (("memory", 10**9), ("cpu", 10**6)):
        if name in allocatable and wanted.get(name, 0) > nano(allocatable[name]):
            about = f"{name}, requested: {wanted[name] // unit}, capacity: {nano(allocatable[name]) // unit}"
            return Refusal("Infeasible", f"Node didn't have enough capacity: {about}")
    found = _of_resources(pod, node, others)
    return Refusal("Deferred", found.message) if found else None


def _of_sysctls(pod: PodLike, shared_network: bool) -> Refusal | None:
    spec: Mapping[str, Any] = pod["spec"]
    of_host = {"net": shared_network or spec.get("hostNetwork"), "ipc": spec.get("hostIPC")}
    for asked in (spec.get("securityContext") or {}).get("sysctls") or ():
        name = sysctls.dotted(asked["name"])
        if name not in sysctls.SAFE:
            return Refusal("SysctlForbidden", f'forbidden sysctl: "{name}" not allowlisted')
        namespace = sysctls.namespace_of(name)
        if of_host[namespace]:
            message = f'forbidden sysctl: "{name}" not allowed with host {namespace} enabled'
            return Refusal("SysctlForbidden", message)
    return None


def _of_system(pod: PodLike) -> Refusal | None:
    spec: Mapping[str, Any] = pod["spec"]
    if ((spec.get("os") or {}).get("name") or "linux") != "linux":
        return Refusal("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
    return None


def _of_resources(pod: PodLike, node: Json, others: Collection[PodLike]) -> Refusal | None:
    """CPU counts in thousandths, all else in whole units."""
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    if "pods" in allocatable and len(others) + 1 > nano(allocatable["pods"]) // 10**9:
        return _out_of("pods", 1, len(others), nano(allocatable["pods"]) // 10**9)
    wanted = {name: amount for name, amount in resources.requests(pod["spec"], nano).items() if amount > 0}
    if not wanted:
        return None
    taken = [resources.requests(resources.in_force(other), nano) for other in others]
    for name in sorted(wanted.keys() & allocatable.keys()):
        unit = 10**6 if name == "cpu" else 10**9
        used, capacity = sum(amounts.get(name, 0) for amounts in taken), nano(allocatable[name])
        if used + wanted[name] > capacity:
            return _out_of(name, *(amount // unit for amount in (wanted[name], used, capacity)))
    return None


def _out_of(name: str, requested: int, used: int, capacity: int) -> Refusal:
    about = f"{name}, requested: {requested}, used: {used}, capacity: {capacity}"
    return Refusal(f"OutOf{name}", f"Node didn't have enough resource: {about}")


def _of_place(pod: PodLike, node: Json) -> Refusal | None:
    name, labels = node["metadata"]["name"], node["metadata"].get("labels") or {}
    if not nodematch.selects(pod["spec"], name, labels):
        return _predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector")
    if pod["spec"].get("nodeName") not in (None, "", name):
        return _predicate("NodeName", "node(s) didn't match the requested node name")
    return None


def _of_ports(pod: PodLike, others: Collection[PodLike]) -> Refusal | None:
    wanted = podutil.host_ports(pod["spec"])
    taken = [port for other in others for port in podutil.host_ports(other["spec"])] if wanted else ()
    for protocol, address, number in wanted:
        for its_protocol, its_address, its_number in taken:
            if (protocol, number) == (its_protocol, its_number) and (
                address == its_address or "0.0.0.0" in (address, its_address)
            ):
                return _predicate("NodePorts", "node(s) didn't have free ports for the requested pod ports")
    return None


def _of_taints(pod: PodLike, node: Json) -> Refusal | None:
    """Only taints that end pods count: whoever names a node may have meant one that takes no others."""
    taints = (node.get("spec") or {}).get("taints") or ()
    if nodematch.untolerated(taints, pod["spec"].get("tolerations") or (), ("NoExecute",)):
        return _predicate("TaintToleration", "node(s) had taints that the pod didn't tolerate")
    return None


def _predicate(name: str, message: str) -> Refusal:
    return Refusal(name, f"Predicate {name} failed: {message}")
