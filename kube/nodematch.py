"""Whether one node suits one pod: node selectors and taints, for those who ask about few pairs (the scheduler has tables)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from kube.objects import Json
from kube.selectors import Requirement

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent", "Gt": "gt", "Lt": "lt"}


def selects(spec: Json, name: str, labels: Mapping[str, str]) -> bool:
    """Whether a pod's `nodeSelector` and required node affinity allow the node with this name and these labels."""
    wanted = spec.get("nodeSelector") or {}
    if not wanted.items() <= labels.items():
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or any(_term(term, name, labels) for term in required.get("nodeSelectorTerms") or ())


def _term(term: Json, name: str, labels: Mapping[str, str]) -> bool:
    """A term without any requirement matches nothing."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    names = {"metadata.name": name}
    return all(_holds(e, labels) for e in expressions) and all(_holds(f, names) for f in fields)


def _holds(requirement: Json, labels: Mapping[str, str]) -> bool:
    operator = _OPERATORS[requirement["operator"]]
    return Requirement(requirement["key"], operator, tuple(requirement.get("values") or ())).matches(labels)


def tolerates(toleration: Json, taint: Json) -> bool:
    """Whether one toleration covers one taint."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    return operator == "Equal" and bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def untolerated(taints: Sequence[Json], tolerations: Sequence[Json], effects: Collection[str]) -> list[Json]:
    """The taints with one of `effects` that no toleration covers."""
    return [
        taint
        for taint in taints
        if taint["effect"] in effects and not any(tolerates(toleration, taint) for toleration in tolerations)
    ]
