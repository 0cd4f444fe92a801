"""Runs the plugins: which nodes can take a pod, which of them is best, and if none, why.

`place` puts many pods of one class: masks and scores are computed once; after each placement only what that placement
changed is computed again (see `plugins.base.Changes`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np

from scheduler.columns import Array
from scheduler.nodes import NodeTable
from scheduler.plugins.base import Changes, Objection, Plugin, Rejected, View
from scheduler.pods import PodInfo

JITTER = 1e-6  # breaks ties between equal scores


@dataclass
class Diagnosis:
    """Why a pod fits nowhere. `reasons` counts nodes; `rejection` is the reason when nodes do not matter.

    `resolvable` marks the slots on which removing pods may help; `plugins` are those that refused.
    """

    nodes: int
    reasons: Counter[str] = field(default_factory=Counter)
    plugins: set[str] = field(default_factory=set)
    resolvable: Array = field(default_factory=lambda: np.zeros(0, dtype=bool))
    rejection: str = ""


@dataclass
class Placement:
    """Outcome of `place`: pods with their node's name, and the pods that fit nowhere with the reason they share."""

    placed: list[tuple[PodInfo, str]] = field(default_factory=list)
    refused: list[PodInfo] = field(default_factory=list)
    diagnosis: Diagnosis | None = None


class Framework:
    """The plugins in their order; the order decides which reason is reported for a node that several refuse."""

    def __init__(self, plugins: Sequence[Plugin], seed: int | None = None) -> None:
        self.plugins = tuple(plugins)
        # Not numpy.random, which takes 2 MiB.
        self._random = Random(seed)

    def feasible(self, pod: PodInfo, view: View, plugins: Iterable[Plugin] | None = None) -> Array:
        """Where the pod can run. Raises `Rejected`."""
        fits = view.alive.copy()
        for plugin in self.plugins if plugins is None else plugins:
            for objection in plugin.filter(pod, view):
                fits &= ~objection.fails
        return fits

    def fits_on(self, pod: PodInfo, table: NodeTable, slot: int) -> bool:
        """Whether one node can take the pod as the table is now."""
        near, whole = View(table, slot), View(table)
        for plugin in self.plugins:
            for objection in plugin.filter(pod, near if plugin.local else whole):
                if objection.fails[0 if plugin.local else slot]:
                    return False
        return bool(table.alive[slot])

    def scores(self, pod: PodInfo, view: View, feasible: Array, plugins: Iterable[Plugin] | None = None) -> Array:
        """Weighted sum of the plugins' scores."""
        total = np.zeros(feasible.shape)
        for plugin in self.plugins if plugins is None else plugins:
            score = plugin.score(pod, view, feasible)
            if score is not None:
                total += plugin.weight * score
        return total

    def diagnose(self, pod: PodInfo, table: NodeTable) -> Diagnosis:
        """Why the pod fits nowhere now; each node is counted for the first plugin that refuses it."""
        view = View(table)
        diagnosis = Diagnosis(len(table), resolvable=view.none())
        remaining = view.alive.copy()
        for plugin in self.plugins:
            try:
                objections = plugin.filter(pod, view)
            except Rejected as reason:
                return Diagnosis(len(table), plugins={plugin.name}, resolvable=view.none(), rejection=str(reason))
            remaining = _report(diagnosis, plugin, objections, remaining)
        return diagnosis

    def place(self, pods: Sequence[PodInfo], table: NodeTable) -> Placement:
        """Put pods of one class on nodes, one after the other; each placed pod is counted in the table at once."""
        result = Placement()
        try:
            run = _Run(self, pods[0], table, self._random)
        except Rejected:
            result.refused, result.diagnosis = list(pods), self.diagnose(pods[0], table)
            return result
        for position, pod in enumerate(pods):
            slot = run.best()
            if slot is None:
                result.refused = list(pods[position:])
                result.diagnosis = self.diagnose(pod, table)
                break
            pod.node = table.names[slot]
            table.put_pod(pod)
            result.placed.append((pod, pod.node))
            if position + 1 < len(pods):
                run.placed(slot)
        return result


def _report(diagnosis: Diagnosis, plugin: Plugin, objections: Iterable[Objection], remaining: Array) -> Array:
    """Count a plugin's objections on the nodes that remain; returns the nodes that still remain."""
    refused, hopeless, left = np.zeros_like(remaining), np.zeros_like(remaining), remaining
    for objection in objections:
        fails = objection.fails & left
        if not fails.any():
            continue
        diagnosis.reasons[objection.reason] += int(fails.sum())
        diagnosis.plugins.add(plugin.name)
        refused |= fails
        if not objection.resolvable:
            hopeless |= fails
        if plugin.exclusive:
            left = left & ~fails
    diagnosis.resolvable |= refused & ~hopeless
    return remaining & ~refused


def jitter(random: Random, count: int) -> Array:
    """Numbers from 0 to JITTER, which decide among nodes of the same score."""
    return np.frombuffer(random.randbytes(4 * count), np.uint32) * (JITTER / 2**32)


class _Run:
    """The masks and scores of one class while its pods are placed one by one."""

    def __init__(self, framework: Framework, pod: PodInfo, table: NodeTable, random: Random) -> None:
        self._framework, self._pod, self._table = framework, pod, table
        view = View(table)
        groups: dict[Changes, list[Plugin]] = {change: [] for change in Changes}
        for plugin in framework.plugins:
            groups[plugin.changes(pod, view)].append(plugin)
        self._slot_plugins, self._all_plugins = groups[Changes.SLOT], groups[Changes.ALL]
        fixed = groups[Changes.NOTHING]
        self._fixed_fit = framework.feasible(pod, view, fixed)
        self._slot_fit = framework.feasible(pod, view, self._slot_plugins)
        self._all_fit = framework.feasible(pod, view, self._all_plugins)
        feasible = self._fixed_fit & self._slot_fit & self._all_fit
        self._fixed_score = framework.scores(pod, view, feasible, fixed) + jitter(random, table.size)
        self._slot_score = framework.scores(pod, view, feasible, self._slot_plugins)
        self._all_score = framework.scores(pod, view, feasible, self._all_plugins)
        self._rank()

    def best(self) -> int | None:
        """The slot with the highest score, None when no node is feasible."""
        if not len(self._ranking):
            return None
        slot = int(self._ranking.argmax())
        return slot if self._ranking[slot] >= 0 else None

    def placed(self, slot: int) -> None:
        """Bring up to date what a placement on `slot` changed."""
        view = View(self._table, slot)
        self._slot_fit[slot] = self._framework.feasible(self._pod, view, self._slot_plugins)[0]
        fits = view.alive & self._slot_fit[slot]
        self._slot_score[slot] = self._framework.scores(self._pod, view, fits, self._slot_plugins)[0]
        if self._all_plugins:
            view = View(self._table)
            self._all_fit = self._framework.feasible(self._pod, view, self._all_plugins)
            feasible = self._fixed_fit & self._slot_fit & self._all_fit
            self._all_score = self._framework.scores(self._pod, view, feasible, self._all_plugins)
            self._rank()
        else:
            fits_here = self._fixed_fit[slot] and self._slot_fit[slot]
            self._ranking[slot] = self._fixed_score[slot] + self._slot_score[slot] if fits_here else -1.0

    def _rank(self) -> None:
        feasible = self._fixed_fit & self._slot_fit & self._all_fit
        self._ranking = np.where(feasible, self._fixed_score + self._slot_score + self._all_score, -1.0)
