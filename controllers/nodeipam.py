"""A range of pod addresses for every node, cut from the cluster's."""

from __future__ import annotations

import ipaddress

from cluster.events import Recorder
from cluster.store import Key
from controllers.runtime import Context, Controller, Result, Terminal, Watch, own_key
from controllers.writes import change
from kube.objects import Json

NODE_PREFIX = 24


class NodeIPAMController(Controller):
    """Key: a node. Ranges in use are read from the nodes themselves, so nothing has to be remembered."""

    name = "nodeipam"
    user = "system:serviceaccount:kube-system:node-controller"
    watches = (Watch("nodes", own_key, lambda event: event.type == "ADDED"),)

    def __init__(self) -> None:
        self._recorder = Recorder("cidrAllocator")
        self._given: dict[str, str] = {}

    def reconcile(self, key: str, ctx: Context) -> Result:
        entry = ctx.cache.get(Key("nodes", "", key))
        if entry is None or entry.meta.deletionTimestamp:
            self._given.pop(key, None)
            return None
        node = entry.object()
        if (node.get("spec") or {}).get("podCIDR"):
            return None
        chosen = next_free(ctx.session.settings.pod_cidr, self._taken(ctx))
        if chosen is None:
            self._recorder.event(
                ctx.session, node, "Warning", "CIDRNotAvailable", f"Node {key} status is now: CIDRNotAvailable"
            )
            raise Terminal(f"no range of {ctx.session.settings.pod_cidr} is left for node {key}: widen the pod CIDR")

        def give(obj: Json) -> None:
            spec = obj.setdefault("spec", {})
            if not spec.get("podCIDR"):
                spec["podCIDR"], spec["podCIDRs"] = chosen, [chosen]

        change(ctx, entry.key, entry.meta.uid, give)
        return None

    def _taken(self, ctx: Context) -> set[str]:
        """Ranges in use; a node's range never changes, so a node is decoded until it has one."""
        present = set()
        for entry in ctx.cache.list("nodes"):
            present.add(entry.meta.uid)
            if entry.meta.uid not in self._given:
                cidr = (entry.object().get("spec") or {}).get("podCIDR")
                if cidr:
                    self._given[entry.meta.uid] = cidr
        for uid in self._given.keys() - present:
            del self._given[uid]
        return set(self._given.values())


def next_free(pod_cidr: str, taken: set[str]) -> str | None:
    """The first range of the cluster's that no node has."""
    network = ipaddress.ip_network(pod_cidr)
    prefix = max(NODE_PREFIX if network.version == 4 else 64, network.prefixlen)
    return next((str(part) for part in network.subnets(new_prefix=prefix) if str(part) not in taken), None)
