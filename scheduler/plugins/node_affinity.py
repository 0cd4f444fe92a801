"""Node selector and node affinity: which labels a node must have, and which it should have.

The terms are those of `kube.nodematch`, asked of the columns of all nodes at once instead of one node's labels.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kube.nodematch import NAME, Term
from kube.selectors import Requirement
from scheduler.columns import Array, Interned
from scheduler.nodes import NAME_FIELD
from scheduler.plugins.base import Objection, Plugin, View, stretched
from scheduler.pods import PodInfo


def requirement_mask(requirement: Requirement, column: Interned | None, view: View) -> Array:
    """Where the value in the column is one that the requirement accepts; no column: no node has a value."""
    if column is None:
        return np.full(view.none().shape, requirement.accepts(None))
    operator = requirement.operator  # what can be looked up is not asked of each distinct value
    if operator in ("in", "notin"):
        among = column.one_of(requirement.values, view.where)
        return among if operator == "in" else ~among
    if operator in ("exists", "absent"):
        present: Array = column.ids[view.where] > 0
        return present if operator == "exists" else ~present
    return column.test(requirement.accepts, view.where)


def term_mask(term: Term, view: View) -> Array:
    """Where all requirements of a node selector term hold; an empty term holds nowhere."""
    masks = [requirement_mask(r, view.label(r.key), view) for r in term.labels]
    masks += [requirement_mask(r, view.label(NAME_FIELD) if r.key == NAME else None, view) for r in term.fields]
    mask: Array = np.logical_and.reduce(masks) if masks else view.none()
    return mask


def any_mask(terms: Iterable[Term], view: View) -> Array:
    """Where one of the terms holds."""
    mask: Array = np.logical_or.reduce([view.none(), *(term_mask(term, view) for term in terms)])
    return mask


class NodeAffinity(Plugin):
    name = "NodeAffinity"
    weight = 2.0
    wakes = frozenset({"Node/Add", "Node/Update"})

    def filter(self, pod: PodInfo, view: View) -> list[Objection]:
        if pod.cls.nodes is None:
            return []
        return [Objection(~any_mask(pod.cls.nodes, view), "node(s) didn't match Pod's node affinity/selector")]

    def score(self, pod: PodInfo, view: View, feasible: Array) -> Array | None:
        if not pod.cls.preferred_nodes:
            return None
        parts = [term_mask(term, view) * float(weight) for term, weight in pod.cls.preferred_nodes]
        return stretched(np.sum(parts, axis=0), feasible)
