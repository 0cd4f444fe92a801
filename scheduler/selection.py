"""Which pods a term speaks of: namespaces and a label selector, compiled once and usable as a dictionary key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from kube import selectors
from kube.objects import Json

Labels = Mapping[str, str]
NamespaceLabels = Callable[[str], Labels]

NOTHING = b"null"


def _encode(selector: Json | None) -> bytes:
    return orjson.dumps(selector, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class Selection:
    """Pods in `namespaces`, or in namespaces that `spaces` selects, whose labels match. Equal by what it says.

    `spaces` is the JSON of a namespaceSelector; None says that only `namespaces` counts.
    """

    namespaces: frozenset[str]
    pods: bytes
    spaces: bytes | None = None
    _pods: Any = field(default=None, compare=False, repr=False)
    _spaces: Any = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, namespaces: frozenset[str], selector: Json | None, spaces: Json | None = None) -> Selection:
        """A missing `selector` matches no pod, an empty one every pod, as everywhere in Kubernetes."""
        return cls(
            namespaces,
            _encode(selector),
            None if spaces is None else _encode(spaces),
            None if selector is None else selectors.from_object(selector),
            None if spaces is None else selectors.from_object(spaces),
        )

    def matches(self, namespace: str, labels: Labels, namespace_labels: NamespaceLabels) -> bool:
        if self._pods is None or not self._pods.matches(labels):
            return False
        if namespace in self.namespaces:
            return True
        return self._spaces is not None and self._spaces.matches(namespace_labels(namespace))


@dataclass(frozen=True, slots=True)
class Term:
    """One pod (anti-)affinity term. `weight` is 0 for a required one."""

    selection: Selection
    topology: str
    weight: int = 0


def with_label_keys(
    selector: Json | None, labels: Labels, keys: list[str], mismatch: list[str] | None = None
) -> Json | None:
    """The selector narrowed by the pod's own values of `matchLabelKeys` (and `mismatchLabelKeys`)."""
    if selector is None or not (keys or mismatch):
        return selector
    more = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for operator, names in (("In", keys), ("NotIn", mismatch or []))
        for key in names
        if key in labels
    ]
    return {**selector, "matchExpressions": [*(selector.get("matchExpressions") or []), *more]}


def _term(raw: Json, namespace: str, labels: Labels, weight: int) -> Term:
    selector = with_label_keys(
        raw.get("labelSelector"), labels, raw.get("matchLabelKeys") or [], raw.get("mismatchLabelKeys") or []
    )
    spaces = raw.get("namespaceSelector")
    named = frozenset(raw.get("namespaces") or ([] if spaces is not None else [namespace]))
    return Term(Selection.of(named, selector, spaces), raw.get("topologyKey") or "", weight)


def required_terms(affinity: Json | None, namespace: str, labels: Labels) -> tuple[Term, ...]:
    raw = (affinity or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or []
    return tuple(_term(term, namespace, labels, 0) for term in raw)


def preferred_terms(affinity: Json | None, namespace: str, labels: Labels) -> tuple[Term, ...]:
    raw = (affinity or {}).get("preferredDuringSchedulingIgnoredDuringExecution") or []
    return tuple(_term(item.get("podAffinityTerm") or {}, namespace, labels, item.get("weight") or 0) for item in raw)
