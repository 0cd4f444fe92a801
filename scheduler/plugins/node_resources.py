"""A node must have what the pod asks for; emptier and more evenly used nodes are liked better."""

from __future__ import annotations

import numpy as np

from scheduler.columns import Array
from scheduler.plugins.base import MAX_SCORE, Changes, Objection, Plugin, View
from scheduler.pods import PodInfo


def _reason(resource: str) -> str:
    return "Too many pods" if resource == "pods" else f"Insufficient {resource}"


class NodeResourcesFit(Plugin):
    """Filter for every resource; scores by least allocated cpu and memory."""

    name = "NodeResourcesFit"
    wakes = frozenset({"Node/Add", "Node/Update", "Pod/Delete", "Pod/Shrink", "Pod/Self"})
    exclusive = False

    def filter(self, pod: PodInfo, view: View) -> list[Objection]:
        """Too large for the empty node is not resolvable; too large for what is left is."""
        table, slot = view.table, view.where.start
        if view.single and all(
            table.used.at(r, slot) + v <= table.allocatable.at(r, slot) for r, v in pod.cls.requests.items()
        ):
            return []  # the common case after a placement, without arrays
        objections = []
        for resource, wanted in pod.cls.requests.items():
            total = table.allocatable.of(resource, view.where)
            fails = table.used.of(resource, view.where) + wanted > total
            if not fails.any():
                continue
            hopeless = fails & (total < wanted)
            objections.append(Objection(hopeless, _reason(resource)))
            objections.append(Objection(fails & ~hopeless, _reason(resource), resolvable=True))
        return objections

    def score(self, pod: PodInfo, view: View, feasible: Array) -> Array | None:
        scores = []
        for row, resource in enumerate(("cpu", "memory")):
            total = view.table.allocatable.of(resource, view.where)
            wanted = view.table.scoring[row, view.where] + pod.cls.scoring[row]
            free = np.maximum(total - wanted, 0)
            scores.append(free * MAX_SCORE / np.maximum(total, 1))
        mean: Array = (scores[0] + scores[1]) / 2
        return mean

    def changes(self, pod: PodInfo, view: View) -> Changes:
        return Changes.SLOT


class NodeResourcesBalancedAllocation(Plugin):
    """Likes nodes whose cpu and memory would be used in equal parts; best-effort pods do not care."""

    name = "NodeResourcesBalancedAllocation"

    def score(self, pod: PodInfo, view: View, feasible: Array) -> Array | None:
        requests = pod.cls.requests
        if "cpu" not in requests and "memory" not in requests:
            return None
        fractions = []
        for resource in ("cpu", "memory"):
            total = np.maximum(view.table.allocatable.of(resource, view.where), 1)
            wanted = view.table.used.of(resource, view.where) + requests.get(resource, 0)
            fractions.append(np.minimum(wanted / total, 1.0))
        balance: Array = (1 - np.abs(fractions[0] - fractions[1]) / 2) * MAX_SCORE
        return balance

    def changes(self, pod: PodInfo, view: View) -> Changes:
        return Changes.SLOT
