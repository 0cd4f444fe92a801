"""The scheduler's plugins and their order, in one place."""

from __future__ import annotations

from scheduler.plugins.base import Listers, Plugin
from scheduler.plugins.image_locality import ImageLocality
from scheduler.plugins.inter_pod_affinity import InterPodAffinity
from scheduler.plugins.node_affinity import NodeAffinity
from scheduler.plugins.node_ports import NodePorts
from scheduler.plugins.node_resources import NodeResourcesBalancedAllocation, NodeResourcesFit
from scheduler.plugins.node_unschedulable import NodeUnschedulable
from scheduler.plugins.pod_topology_spread import PodTopologySpread
from scheduler.plugins.taint_toleration import TaintToleration
from scheduler.plugins.volume_binding import VolumeBinding

__all__ = ["default_plugins"]


def default_plugins(listers: Listers) -> list[Plugin]:
    """All plugins. A node is reported for the first one that refuses it, so the order shapes the messages."""
    return [
        NodeUnschedulable(),
        TaintToleration(),
        NodeAffinity(),
        NodePorts(),
        NodeResourcesFit(),
        VolumeBinding(listers),  # claims: after what is cheap
        PodTopologySpread(listers),
        InterPodAffinity(),
        NodeResourcesBalancedAllocation(),  # scores only, from here on
        ImageLocality(),
    ]
