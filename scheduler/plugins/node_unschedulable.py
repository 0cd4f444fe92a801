"""Cordoned nodes take no pods, except those that tolerate the taint which stands for it."""

from __future__ import annotations

from scheduler.plugins.base import Objection, Plugin, View
from scheduler.plugins.taint_toleration import tolerates
from scheduler.pods import PodInfo

TAINT = ("node.kubernetes.io/unschedulable", "", "NoSchedule")


class NodeUnschedulable(Plugin):
    name = "NodeUnschedulable"
    wakes = frozenset({"Node/Add", "Node/Update"})

    def filter(self, pod: PodInfo, view: View) -> list[Objection]:
        fails = view.table.unschedulable[view.where]
        if not fails.any() or tolerates(pod.cls.spec.get("tolerations") or (), TAINT):
            return []
        return [Objection(fails.copy(), "node(s) were unschedulable")]
