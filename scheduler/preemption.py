"""Preemption: which less important pods should go so that a pod that fits nowhere gets a node.

For each node on which removing pods may help: take all less important pods away, see whether the pod fits then, and
give back as many as possible, those protected by a disruption budget first. Of the nodes, the one that costs least is
taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

import numpy as np

from kube.selectors import Selector
from scheduler import messages
from scheduler.framework import Diagnosis, Framework
from scheduler.nodes import NodeTable
from scheduler.pods import PodInfo

FEWEST_CANDIDATES = 100  # at least so many nodes are tried, or a tenth of all


@dataclass
class Budget:
    """A PodDisruptionBudget: how many of the pods it selects may be disturbed now."""

    namespace: str
    selector: Selector
    allowed: int

    def covers(self, pod: PodInfo) -> bool:
        return pod.namespace == self.namespace and self.selector.matches(pod.cls.labels)


class Candidate(NamedTuple):
    """A node, the pods that would have to go, and how many of them a budget protects."""

    slot: int
    victims: tuple[PodInfo, ...]
    violations: int


@dataclass
class Outcome:
    """`node` is "" when nothing can be done; `message` then says why."""

    node: str = ""
    victims: tuple[PodInfo, ...] = ()
    message: str = ""
    reasons: Counter[str] = field(default_factory=Counter)


def plan(
    pod: PodInfo,
    table: NodeTable,
    framework: Framework,
    diagnosis: Diagnosis,
    budgets: Sequence[Budget],
    random: Random,
) -> Outcome:
    """Choose node and victims for a refused pod. Nothing is changed; the table is as before."""
    refusal, nominated = "", table.slots.get(pod.nominated)
    if pod.cls.spec.get("preemptionPolicy") == "Never":
        refusal = messages.NEVER
    elif nominated is not None and any(
        p.deleting and p.cls.priority < pod.cls.priority for p in table.pods[nominated].values()
    ):
        refusal = messages.TERMINATING
    if refusal:
        return Outcome(message=f"{messages.NO_CLAIMS}, preemption: {refusal}")
    slots = np.flatnonzero(diagnosis.resolvable)
    enough = max(FEWEST_CANDIDATES, len(table) // 10)
    candidates: list[Candidate] = []
    fruitless = 0  # nodes without a candidate
    for slot in random.sample(slots.tolist(), len(slots)):
        candidate = _try_node(pod, table, framework, slot, budgets)
        if candidate is None:
            fruitless += 1
        else:
            candidates.append(candidate)
            if len(candidates) >= enough:
                break
    if candidates:
        best = min(candidates, key=_cost)
        return Outcome(table.names[best.slot], best.victims)
    reasons = Counter({messages.NOT_HELPFUL: diagnosis.nodes - len(slots), messages.NO_VICTIMS: fruitless})
    return Outcome(message=messages.preemption(diagnosis.nodes, +reasons))


def _try_node(
    pod: PodInfo, table: NodeTable, framework: Framework, slot: int, budgets: Sequence[Budget]
) -> Candidate | None:
    """What the pod would cost on this node; the table is restored before it returns."""
    lesser = [p for p in table.pods[slot].values() if p.cls.priority < pod.cls.priority]
    if not lesser:
        return None
    removed = {p.uid: p for p in lesser}
    try:
        for victim in lesser:
            table.drop_pod(victim.uid)
        if not framework.fits_on(pod, table, slot):
            return None
        protected, free = _by_budget(sorted(lesser, key=_importance), budgets)
        victims, violations = [], 0
        for victim, guarded in [*((v, True) for v in protected), *((v, False) for v in free)]:
            table.put_pod(victim)
            if framework.fits_on(pod, table, slot):
                del removed[victim.uid]
            else:
                table.drop_pod(victim.uid)
                victims.append(victim)
                violations += guarded
        return Candidate(slot, tuple(sorted(victims, key=_importance)), violations)
    finally:
        for victim in removed.values():
            table.put_pod(victim)


def _importance(pod: PodInfo) -> tuple[int, float]:
    """Sort key, most important first: priority, then who runs longer."""
    return -pod.cls.priority, pod.started


def _by_budget(pods: Sequence[PodInfo], budgets: Sequence[Budget]) -> tuple[list[PodInfo], list[PodInfo]]:
    """(pods whose loss would violate a budget, the others); budgets are used up from the most important pod on."""
    left = [budget.allowed for budget in budgets]
    protected: list[PodInfo] = []
    free: list[PodInfo] = []
    for pod in pods:
        covering = [i for i, budget in enumerate(budgets) if budget.covers(pod)]
        for i in covering:
            left[i] -= 1
        (protected if any(left[i] < 0 for i in covering) else free).append(pod)
    return protected, free


def _cost(candidate: Candidate) -> tuple[float, ...]:
    """Fewest violated budgets, then the least important victims, then fewest of them, then the youngest."""
    if not candidate.victims:
        return (0, -(2.0**31), 0, 0, 0)
    highest = candidate.victims[0].cls.priority
    total = sum(victim.cls.priority + 2**31 for victim in candidate.victims)
    earliest = min(victim.started for victim in candidate.victims if victim.cls.priority == highest)
    return candidate.violations, highest, total, len(candidate.victims), -earliest
