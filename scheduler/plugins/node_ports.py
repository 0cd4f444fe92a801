"""A host port is given to one pod of a node."""

from __future__ import annotations

from scheduler.plugins.base import Changes, Objection, Plugin, View
from scheduler.pods import PodInfo


class NodePorts(Plugin):
    name = "NodePorts"
    wakes = frozenset({"Node/Add", "Pod/Delete"})

    def filter(self, pod: PodInfo, view: View) -> list[Objection]:
        if not pod.cls.ports:
            return []
        fails, first = view.none(), view.where.start
        for slot in view.table.ports.clashes(pod.cls.ports):
            if first <= slot < view.where.stop:
                fails[slot - first] = True
        return [Objection(fails, "node(s) didn't have free ports for the requested pod ports", resolvable=True)]

    def changes(self, pod: PodInfo, view: View) -> Changes:
        return Changes.SLOT if pod.cls.ports else Changes.NOTHING
