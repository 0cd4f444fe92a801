"""TaintNodesByCondition: a node is not ready until it says so."""

from __future__ import annotations

from cluster.admission.plugin import Plugin
from cluster.admission.request import Request

NOT_READY = "node.kubernetes.io/not-ready"


class TaintNodes(Plugin):
    storages = frozenset({"nodes"})

    def mutate(self, request: Request) -> None:
        spec = request.obj.setdefault("spec", {})
        taints = spec.get("taints") or []
        if not any(t.get("key") == NOT_READY and t.get("effect") == "NoSchedule" for t in taints):
            spec["taints"] = [*taints, {"key": NOT_READY, "effect": "NoSchedule"}]
