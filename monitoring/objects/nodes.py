"""kube_node_*"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from monitoring.objects import wishes
from monitoring.objects.families import Families, Sample, amounts, conditions, find, number
from monitoring.objects.selection import labels

if TYPE_CHECKING:
    from kube.shapes import NodeLike

NODES = Families("v1", "nodes", note=wishes.of_node, node="name")
ROLE = "node-role.kubernetes.io/"
NODES.lifetime("kube_node")
NODES.selectable("kube_node")


@NODES.gauge("kube_node_info", "Information about a cluster node.")
def info(node: NodeLike) -> Iterable[Sample]:
    about = find(node, "status", "nodeInfo") or {}
    addresses = find(node, "status", "addresses") or ()
    return (
        (
            labels(
                kernel_version=about.get("kernelVersion"),
                os_image=about.get("osImage"),
                container_runtime_version=about.get("containerRuntimeVersion"),
                kubelet_version=about.get("kubeletVersion"),
                kubeproxy_version="deprecated",
                provider_id=find(node, "spec", "providerID"),
                pod_cidr=find(node, "spec", "podCIDR"),
                system_uuid=about.get("systemUUID"),
                internal_ip=next((a["address"] for a in reversed(addresses) if a["type"] == "InternalIP"), ""),
            ),
            1,
        ),
    )


@NODES.gauge("kube_node_role", "The role of a cluster node.")
def role(node: NodeLike) -> Iterator[Sample]:
    return (
        (labels(role=key.removeprefix(ROLE)), 1) for key in node["metadata"].get("labels") or () if key.startswith(ROLE)
    )


@NODES.gauge("kube_node_spec_pod_cidrs", "The pod CIDRs of a cluster node.")
def pod_cidrs(node: NodeLike) -> Iterator[Sample]:
    return ((labels(pod_cidr=each), 1) for each in find(node, "spec", "podCIDRs") or ())


@NODES.gauge("kube_node_spec_taint", "The taint of a cluster node.")
def taint(node: NodeLike) -> Iterator[Sample]:
    for each in find(node, "spec", "taints") or ():
        yield labels(key=each["key"], value=each.get("value"), effect=each["effect"]), 1


NODES.field("kube_node_spec_unschedulable", "Whether a node can schedule new pods.", "spec", "unschedulable", missing=0)


@NODES.gauge("kube_node_status_addresses", "Node address information.")
def addresses(node: NodeLike) -> Iterator[Sample]:
    for each in find(node, "status", "addresses") or ():
        yield labels(type=each["type"], address=each["address"]), 1


def _amounts(node: NodeLike, field: str) -> Iterator[Sample]:
    found = find(node, "status", field) or {}
    if "pods" in found:
        yield ',resource="pods",unit="integer"', number(found["pods"])
    yield from amounts(found, whole=False)


NODES.add(
    "kube_node_status_allocatable",
    "The allocatable for different resources of a node.",
    lambda node: _amounts(node, "allocatable"),
)
NODES.add(
    "kube_node_status_capacity",
    "The capacity for different resources of a node.",
    lambda node: _amounts(node, "capacity"),
)
NODES.add("kube_node_status_condition", "The condition of a cluster node.", conditions)
