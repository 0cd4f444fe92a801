"""Taints keep pods away that do not tolerate them; PreferNoSchedule only makes a node less liked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from kube import nodematch
from scheduler.columns import Array
from scheduler.nodes import Taint
from scheduler.plugins.base import Objection, Plugin, View, stretched
from scheduler.pods import PodInfo

HARD = ("NoSchedule", "NoExecute")


def tolerates(tolerations: Iterable[dict[str, Any]], taint: Taint) -> bool:
    """Whether one of the tolerations (as in a pod's spec) covers the taint."""
    key, value, effect = taint
    whole = {"key": key, "value": value, "effect": effect}
    return any(nodematch.tolerates(toleration, whole) for toleration in tolerations)


class TaintToleration(Plugin):
    name = "TaintToleration"
    weight = 3.0
    wakes = frozenset({"Node/Add", "Node/Update", "Pod/Self"})

    def filter(self, pod: PodInfo, view: View) -> list[Objection]:
        """A node is reported for the first of its taints that is not tolerated."""
        tolerations = pod.cls.spec.get("tolerations") or ()
        refused = [taint for taint in view.table.taints if taint[2] in HARD and not tolerates(tolerations, taint)]
        if len(refused) < 2:
            return [self._objection(taint, view.table.taints[taint][view.where].copy()) for taint in refused]
        return self._by_first_taint(set(refused), view)

    def score(self, pod: PodInfo, view: View, feasible: Array) -> Array | None:
        soft = [taint for taint in view.table.taints if taint[2] == "PreferNoSchedule"]
        tolerations = [
            t
            for t in pod.cls.spec.get("tolerations") or ()
            if (t.get("effect") or "PreferNoSchedule") == "PreferNoSchedule"
        ]
        disliked = [view.table.taints[taint][view.where] for taint in soft if not tolerates(tolerations, taint)]
        if not disliked:
            return None
        return stretched(np.sum(disliked, axis=0).astype(float), feasible, reverse=True)

    def _by_first_taint(self, refused: set[Taint], view: View) -> list[Objection]:
        fails: dict[Taint, Array] = {}
        anywhere = np.logical_or.reduce([view.table.taints[taint][view.where] for taint in refused])
        for position in np.flatnonzero(anywhere):
            taints = view.table.node_taints[view.where.start + position]
            first = next(taint for taint in taints if taint in refused)
            fails.setdefault(first, view.none())[position] = True
        return [self._objection(taint, column) for taint, column in fails.items()]

    @staticmethod
    def _objection(taint: Taint, fails: Array) -> Objection:
        return Objection(fails, f"node(s) had untolerated taint {{{taint[0]}: {taint[1]}}}")
