"""Pods that want to be near or apart: the incoming pod's terms, and those of pods that run already."""

from __future__ import annotations

import numpy as np

from scheduler.columns import Array
from scheduler.counts import Held, PodCounts, Question
from scheduler.plugins.base import MAX_SCORE, Changes, Objection, Plugin, View
from scheduler.plugins.topology import spread_out
from scheduler.pods import PodClass, PodInfo
from scheduler.selection import Term

HARD_AFFINITY_WEIGHT = 1
_SCORED = {"required": HARD_AFFINITY_WEIGHT, "preferred": 1, "anti_preferred": -1}


def _near(term: Term, question: Question, view: View) -> Array:
    """For each node, the pods that answer `question` in the term's topology domain of that node."""
    return spread_out(view.ids(term.topology), view.table.counts.of(question)[view.where])


def _holders(held: Held, view: View) -> Array:
    return spread_out(view.ids(held.term.topology), view.table.counts.held[held][view.where])


def _fits(held: Held, cls: PodClass, counts: PodCounts) -> bool:
    return held.term.selection.matches(cls.namespace, cls.labels, counts.namespace_labels)


class InterPodAffinity(Plugin):
    name = "InterPodAffinity"
    weight = 2.0
    local = False
    wakes = frozenset({"Node/Add", "Node/Update", "Pod/Add", "Pod/Delete", "Pod/Labels"})

    def filter(self, pod: PodInfo, view: View) -> list[Objection]:
        objections = []
        if pod.cls.required:
            objections.append(Objection(~self._has_company(pod.cls, view), "node(s) didn't match pod affinity rules"))
        objections += [
            Objection(
                _near(term, Question((term.selection,)), view) > 0,
                "node(s) didn't match pod anti-affinity rules",
                resolvable=True,
            )
            for term in pod.cls.anti_required
        ]
        objections += [
            Objection(
                _holders(held, view) > 0, "node(s) didn't satisfy existing pods anti-affinity rules", resolvable=True
            )
            for held in self._refusing(pod.cls, view)
        ]
        return objections

    def score(self, pod: PodInfo, view: View, feasible: Array) -> Array | None:
        """Sum of weights of the pods nearby, scaled to 0..100 over the feasible nodes."""
        parts = [_near(term, Question((term.selection,)), view) * float(term.weight) for term in pod.cls.preferred]
        parts += [_near(t, Question((t.selection,)), view) * -float(t.weight) for t in pod.cls.anti_preferred]
        cls, counts = pod.cls, view.table.counts
        for held in counts.matched("caring", cls, lambda h: h.role in _SCORED and _fits(h, cls, counts)):
            parts.append(_holders(held, view) * float(_SCORED[held.role] * (held.term.weight or 1)))
        if not parts:
            return None
        total = np.sum(parts, axis=0)
        low, high = total[feasible].min(initial=np.inf), total[feasible].max(initial=-np.inf)
        return (total - low) * (MAX_SCORE / (high - low)) if high > low else None

    def changes(self, pod: PodInfo, view: View) -> Changes:
        """A class with terms may look at pods of its own, which each placement adds to."""
        return Changes.ALL if pod.cls.has_terms else Changes.NOTHING

    def _has_company(self, cls: PodClass, view: View) -> Array:
        # Required affinity counts only pods that satisfy all terms.
        question = Question(tuple(term.selection for term in cls.required))
        counts = view.table.counts
        labelled: Array = np.logical_and.reduce([view.ids(term.topology) > 0 for term in cls.required])
        # The first pod of a group that wants its own company may start anywhere.
        if not (counts.of(question) * view.table.alive).any() and counts.matches(question, cls):
            return labelled
        company: Array = np.logical_and.reduce([labelled, *(_near(term, question, view) > 0 for term in cls.required)])
        return company

    def _refusing(self, cls: PodClass, view: View) -> list[Held]:
        counts = view.table.counts
        return counts.matched("refusing", cls, lambda h: h.role == "anti_required" and _fits(h, cls, counts))
