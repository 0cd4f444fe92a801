"""Node selector and node affinity: which labels a node must have, and which it should have."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from kube.objects import Json
from scheduler.columns import Array
from scheduler.nodes import NAME_FIELD
from scheduler.plugins.base import Objection, Plugin, View, stretched
from scheduler.pods import PodClass, PodInfo


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else None


def _beyond(values: list[str], operator: str) -> Callable[[str], bool]:
    """Test of a label value that must be an integer above (Gt) or below (Lt) the one wanted."""
    bound = _integer(values[0]) if values else None

    def test(text: str) -> bool:
        number = _integer(text)
        if bound is None or number is None:
            return False
        return number > bound if operator == "Gt" else number < bound

    return test


def requirement_mask(requirement: Json, view: View, field: bool = False) -> Array:
    """Where one matchExpressions (or, with `field`, matchFields) requirement holds."""
    key = NAME_FIELD if field and requirement["key"] == "metadata.name" else requirement["key"]
    operator, values = requirement["operator"], requirement.get("values") or []
    column = view.label(key)
    if column is None:
        holds = operator in ("NotIn", "DoesNotExist")
        return np.full(view.none().shape, holds)
    if operator == "In":
        return column.one_of(values, view.where)
    if operator == "NotIn":
        return ~column.one_of(values, view.where)
    if operator == "Exists":
        return column.ids[view.where] > 0
    if operator == "DoesNotExist":
        absent: Array = column.ids[view.where] == 0
        return absent
    return column.test(_beyond(values, operator), view.where)


def term_mask(term: Json, view: View) -> Array:
    """Where all requirements of a node selector term hold; an empty term holds nowhere."""
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return view.none()
    masks = [requirement_mask(r, view) for r in expressions] + [requirement_mask(r, view, field=True) for r in fields]
    mask: Array = np.logical_and.reduce(masks)
    return mask


def selector_mask(selector: Json, view: View) -> Array:
    """Where one of the `nodeSelectorTerms` holds."""
    mask: Array = np.logical_or.reduce(
        [view.none(), *(term_mask(t, view) for t in selector.get("nodeSelectorTerms") or [])]
    )
    return mask


def required_mask(cls: PodClass, view: View) -> Array | None:
    """Where nodeSelector and required node affinity both hold; None when the pod asks for neither."""
    masks = [
        requirement_mask({"key": key, "operator": "In", "values": [value]}, view)
        for key, value in (cls.spec.get("nodeSelector") or {}).items()
    ]
    affinity = (cls.spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required:
        masks.append(selector_mask(required, view))
    return np.logical_and.reduce(masks) if masks else None


class NodeAffinity(Plugin):
    name = "NodeAffinity"
    weight = 2.0
    wakes = frozenset({"Node/Add", "Node/Update"})

    def filter(self, pod: PodInfo, view: View) -> list[Objection]:
        mask = required_mask(pod.cls, view)
        return [] if mask is None else [Objection(~mask, "node(s) didn't match Pod's node affinity/selector")]

    def score(self, pod: PodInfo, view: View, feasible: Array) -> Array | None:
        affinity = (pod.cls.spec.get("affinity") or {}).get("nodeAffinity") or {}
        preferred = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or []
        if not preferred:
            return None
        parts = [term_mask(w.get("preference") or {}, view) * float(w.get("weight") or 0) for w in preferred]
        return stretched(np.sum(parts, axis=0), feasible)
