"""PodTopologyLabels: a pod carries the zone and region of its node, so that it can learn them from its own labels."""

from __future__ import annotations

from cluster.admission.plugin import Plugin
from cluster.admission.request import Request
from cluster.cache import Cache
from cluster.store import Key

TOPOLOGY = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


def topology(cache: Cache, node: str) -> dict[str, str]:
    """The labels that a pod takes over from this node; none from one that nobody knows."""
    entry = cache.get(Key("nodes", "", node))
    return {name: entry.labels[name] for name in TOPOLOGY if name in entry.labels} if entry else {}


class PodTopologyLabels(Plugin):
    """For pods that are created on a node; those that are scheduled get the labels when they are bound."""

    storages = frozenset({"pods"})

    def mutate(self, request: Request) -> None:
        node = (request.obj.get("spec") or {}).get("nodeName")
        labels = topology(request.cache, node) if node else {}
        if labels:
            metadata = request.obj["metadata"]
            metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
