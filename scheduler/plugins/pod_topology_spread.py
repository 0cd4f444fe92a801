"""Pods of a set are spread evenly over topology domains: strictly (DoNotSchedule) or as a wish (ScheduleAnyway)."""

from __future__ import annotations

from typing import Any

import numpy as np

from scheduler.columns import Array
from scheduler.counts import Question
from scheduler.plugins.base import MAX_SCORE, Changes, Listers, Objection, Plugin, View
from scheduler.plugins.node_affinity import any_mask
from scheduler.plugins.taint_toleration import TaintToleration
from scheduler.plugins.topology import domain_sums, spread_out
from scheduler.pods import PodClass, PodInfo, Spread
from scheduler.selection import Selection

REFUSAL = "node(s) didn't match pod topology spread constraints"
HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"
DEFAULTS = ((HOSTNAME, 3), (ZONE, 5))
OWNERS = {
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
    "ReplicationController": "replicationcontrollers",
}


class PodTopologySpread(Plugin):
    name = "PodTopologySpread"
    weight = 2.0
    local = False
    wakes = frozenset({"Node/Add", "Node/Update", "Node/Delete", "Pod/Add", "Pod/Delete", "Pod/Labels"})

    def __init__(self, listers: Listers) -> None:
        self._listers = listers

    def filter(self, pod: PodInfo, view: View) -> list[Objection]:
        hard = [spread for spread in pod.cls.spreads if spread.hard]
        if not hard:
            return []
        labelled = self._labelled(hard, view)
        return [
            Objection(~labelled, f"{REFUSAL} (missing required label)"),
            *(
                Objection(self._too_skewed(pod, spread, view, labelled) & labelled, REFUSAL, resolvable=True)
                for spread in hard
            ),
        ]

    def score(self, pod: PodInfo, view: View, feasible: Array) -> Array | None:
        """Fewer pods of the set nearby is better; domains count the more, the more of them there are."""
        soft = self._soft(pod.cls)
        if not soft or not feasible.any():
            return None
        labelled, shares = self._shares(pod, soft, view, feasible)
        considered = feasible & labelled
        if not considered.any():
            return None
        raw = np.sum([share.cost(view) for share in shares], axis=0)
        low, high = raw[considered].min(), raw[considered].max()
        if high == 0:
            return np.where(labelled, MAX_SCORE, 0.0)
        return np.where(labelled, MAX_SCORE * (high + low - raw) / high, 0.0)

    def changes(self, pod: PodInfo, view: View) -> Changes:
        return Changes.ALL if pod.cls.spreads or self._soft(pod.cls) else Changes.NOTHING

    def _shares(self, pod: PodInfo, soft: list[Spread], view: View, feasible: Array) -> tuple[Array, list[_Share]]:
        """(nodes that have the labels, the part of each constraint), remembered until a node changes."""
        known = pod.cls.memo.get("shares")
        if known is not None and known[0] is view.table and known[1] == view.table.version:
            return known[2], known[3]
        # Only a pod's own constraints make nodes without the label worth nothing.
        labelled = self._labelled(soft, view) if pod.cls.spreads else view.alive.copy()
        shares = []
        for spread in soft:
            counted = self._counted(pod, spread, view, labelled)
            shares.append(_Share(spread, view.ids(spread.topology).copy(), counted, feasible & labelled))
        pod.cls.memo["shares"] = (view.table, view.table.version, labelled, shares)
        return labelled, shares

    @staticmethod
    def _labelled(spreads: list[Spread], view: View) -> Array:
        labelled: Array = np.logical_and.reduce([view.ids(spread.topology) > 0 for spread in spreads])
        return labelled

    @staticmethod
    def _counted(pod: PodInfo, spread: Spread, view: View, labelled: Array) -> Array:
        """The nodes whose pods count, by the constraint's two policies."""
        counted = view.alive & labelled
        if spread.honor_affinity and pod.cls.nodes is not None:
            counted = counted & any_mask(pod.cls.nodes, view)
        if spread.honor_taints:
            for objection in TaintToleration().filter(pod, view):
                counted = counted & ~objection.fails
        return counted

    def _too_skewed(self, pod: PodInfo, spread: Spread, view: View, labelled: Array) -> Array:
        ids = view.ids(spread.topology)
        counted = self._counted(pod, spread, view, labelled)
        sums = domain_sums(ids, view.table.counts.of(_question(spread))[view.where], counted)
        present = np.unique(ids[counted])
        least = sums[present].min() if len(present) >= max(spread.min_domains, 1) else 0
        own = 1 if view.table.counts.matches(_question(spread), pod.cls) else 0
        return sums[ids] + own - least > spread.max_skew

    def _soft(self, cls: PodClass) -> list[Spread]:
        known: list[Spread] | None = cls.memo.get("soft spreads")
        if known is None:
            known = [s for s in cls.spreads if not s.hard] if cls.spreads else self._defaults(cls)
            cls.memo["soft spreads"] = known
        return known

    def _defaults(self, cls: PodClass) -> list[Spread]:
        """Pods of one controller or Service are spread over hosts and zones if nothing else is said.

        Looked up once a class: a Service that comes later changes where the next template's pods go.
        """
        selector = self._set_of(cls)
        if selector is None:
            return []
        selection = Selection.of(frozenset((cls.namespace,)), selector)
        return [Spread(selection, key, skew, hard=False) for key, skew in DEFAULTS]

    def _set_of(self, cls: PodClass) -> dict[str, Any] | None:
        """The selector of the sets that the pod belongs to, joined; None without any."""
        labels: dict[str, str] = {}
        expressions: list[Any] = []
        for service in self._listers.list("services", cls.namespace):
            wanted = (service.get("spec") or {}).get("selector") or {}
            if wanted and wanted.items() <= dict(cls.labels).items():
                labels |= wanted
        kind, name = cls.owner_kind, cls.owner_name
        owner = self._listers.get(OWNERS[kind], cls.namespace, name) if kind in OWNERS else None
        selector = ((owner or {}).get("spec") or {}).get("selector") or {}
        if kind == "ReplicationController":
            selector = {"matchLabels": selector}
        labels |= selector.get("matchLabels") or {}
        expressions += selector.get("matchExpressions") or []
        return {"matchLabels": labels, "matchExpressions": expressions} if labels or expressions else None


class _Share:
    """What one constraint adds to the cost of each node: pods of the set in its domain, weighted."""

    def __init__(self, spread: Spread, ids: Array, counted: Array, considered: Array) -> None:
        self._question = _question(spread)
        self._ids, self._counted = ids, counted & (ids > 0)
        present = ids[considered & (ids > 0)]
        domains = int(considered.sum()) if spread.topology == HOSTNAME else len(np.unique(present))
        self._weight = np.log(domains + 2)
        self._base = np.where(ids > 0, float(spread.max_skew - 1), 0.0)
        # Where every node is a domain of its own there is nothing to sum.
        self._alone = bool(len(np.unique(ids[ids > 0])) == (ids > 0).sum())

    def cost(self, view: View) -> Array:
        counts = view.table.counts.of(self._question)[view.where]
        near = counts * self._counted if self._alone else spread_out(self._ids, counts, self._counted)
        cost: Array = near * self._weight + self._base
        return cost


def _question(spread: Spread) -> Question:
    return Question((spread.selection,), living=True)
