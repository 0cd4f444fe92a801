"""How many pods of a kind run on each node, for the kinds that affinity and spreading ask about.

A counter is made by a scan over all pods when first asked for, and kept up to date by single changes after that. The
least recently used counters are dropped beyond a limit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scheduler.columns import Array, grown
from scheduler.pods import PodClass, PodInfo
from scheduler.selection import Selection, Term

if TYPE_CHECKING:
    from scheduler.nodes import NodeTable

COUNTERS = 4096


class Question(NamedTuple):
    """Pods that all `selections` match; `living` leaves out those that are being deleted."""

    selections: tuple[Selection, ...]
    living: bool = False


class Held(NamedTuple):
    """A term that pods on nodes hold: role is `required`, `preferred`, `anti_required` or `anti_preferred`."""

    role: str
    term: Term


ROLES = ("required", "preferred", "anti_required", "anti_preferred")


class PodCounts:
    """Counters by `Question`, and for each term held by a pod on a node, how many such pods there are on each slot."""

    def __init__(self, table: NodeTable) -> None:
        self._table = table
        self._counters: OrderedDict[Question, Array] = OrderedDict()
        self._generation = 0
        self.held: dict[Held, Array] = {}
        self.held_generation = 0
        self.namespaces: dict[str, Mapping[str, str]] = {}

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        return self.namespaces.get(name, {})

    def put_namespace(self, name: str, labels: Mapping[str, str] | None) -> None:
        """Take over a namespace's labels (None: it is gone); counters that depend on such labels start anew."""
        if self.namespaces.get(name) == labels:
            return
        if labels is None:
            self.namespaces.pop(name, None)
        else:
            self.namespaces[name] = labels
        stale = [q for q in self._counters if any(s.spaces is not None for s in q.selections)]
        for question in stale:
            del self._counters[question]
        self._generation += 1
        self.held_generation += 1

    def of(self, question: Question) -> Array:
        """Pods a slot, as an int64 column of the table's capacity. Not to be changed by the caller."""
        counter = self._counters.get(question)
        if counter is None:
            counter = self._counters[question] = self._scan(question)
            self._generation += 1
            if len(self._counters) > COUNTERS:
                self._counters.popitem(last=False)
        else:
            self._counters.move_to_end(question)
        return counter

    def matches(self, question: Question, cls: PodClass) -> bool:
        return all(s.matches(cls.namespace, cls.labels, self.namespace_labels) for s in question.selections)

    def add(self, slot: int, pod: PodInfo, sign: int) -> None:
        """Count a pod on a slot (`sign` 1) or stop counting it (-1)."""
        for question in self._questions(pod.cls):
            if not (question.living and pod.deleting):
                self._counters[question][slot] += sign
        if pod.cls.has_terms:
            self._hold(slot, pod.cls, sign)

    def grow(self, size: int) -> None:
        for counters in (self._counters, self.held):
            for key, column in list(counters.items()):
                counters[key] = grown(column, size)  # type: ignore[index]

    def matched(self, memo: str, cls: PodClass, test: Callable[[Held], bool]) -> list[Held]:
        """The held terms that `test` takes, remembered on the class until other terms are held."""
        known = cls.memo.get(memo)
        if known is None or known[0] is not self or known[1] != self.held_generation:
            known = cls.memo[memo] = (self, self.held_generation, [held for held in self.held if test(held)])
        return known[2]

    def _questions(self, cls: PodClass) -> list[Question]:
        known = cls.memo.get("questions")
        if known is None or known[0] is not self or known[1] != self._generation:
            asked = [question for question in self._counters if self.matches(question, cls)]
            known = cls.memo["questions"] = (self, self._generation, asked)
        return known[2]

    def _scan(self, question: Question) -> Array:
        counter = np.zeros(self._table.capacity, dtype=np.int64)
        verdicts: dict[int, bool] = {}
        for slot, pod in self._table.each_pod():
            verdict = verdicts.get(id(pod.cls))
            if verdict is None:
                verdict = verdicts[id(pod.cls)] = self.matches(question, pod.cls)
            if verdict and not (question.living and pod.deleting):
                counter[slot] += 1
        return counter

    def _hold(self, slot: int, cls: PodClass, sign: int) -> None:
        for role in ROLES:
            for term in getattr(cls, role):
                held = Held(role, term)
                column = self.held.get(held)
                if column is None:
                    column = self.held[held] = np.zeros(self._table.capacity, dtype=np.int64)
                    self.held_generation += 1
                column[slot] += sign
                if sign < 0 and not column.any():
                    del self.held[held]
                    self.held_generation += 1
