"""Whether a node suits a pod: node selectors, required node affinity, taints.

`selects` asks one node. The scheduler asks the same terms of all nodes at once (`scheduler.plugins.node_affinity`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kube.objects import Json
from kube.selectors import Requirement

if TYPE_CHECKING:
    from kube.shapes import PodSpecLike, Taint, Toleration

NAME = "metadata.name"  # the only field of a node that `matchFields` knows


class Term(NamedTuple):
    """What a node must have, all of it; a term that asks for nothing holds on no node."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()

    def holds(self, name: str, labels: Mapping[str, str]) -> bool:
        """Of the node with this name and these labels."""
        if not (self.labels or self.fields):
            return False
        fields = {NAME: name}
        return all(r.matches(labels) for r in self.labels) and all(r.matches(fields) for r in self.fields)


def term(written: Json) -> Term:
    """A NodeSelectorTerm, also as the `preference` of a preferred one."""
    labels = tuple(Requirement.of(r, of_nodes=True) for r in written.get("matchExpressions") or ())
    return Term(labels, tuple(Requirement.of(r, of_nodes=True) for r in written.get("matchFields") or ()))


def terms(selector: Json) -> tuple[Term, ...]:
    """A NodeSelector, as of a pod's affinity or of a volume: the node must suit one of them."""
    return tuple(term(written) for written in selector.get("nodeSelectorTerms") or ())


def alternatives(spec: PodSpecLike) -> tuple[Term, ...] | None:
    """The terms one of which a pod's node must suit, by `nodeSelector` and required affinity; None: any node will do."""
    chosen = tuple(Requirement(key, "in", (value,)) for key, value in (spec.get("nodeSelector") or {}).items())
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return (Term(chosen),) if chosen else None
    asking = [each for each in terms(required) if each.labels or each.fields]
    return tuple(Term(chosen + each.labels, each.fields) for each in asking)


def selects(spec: PodSpecLike, name: str, labels: Mapping[str, str]) -> bool:
    """Whether a pod's `nodeSelector` and required node affinity allow the node with this name and these labels."""
    wanted = alternatives(spec)
    return wanted is None or any(each.holds(name, labels) for each in wanted)


def tolerates(toleration: Toleration | Json, taint: Taint | Json) -> bool:
    """Whether one toleration covers one taint."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    return operator == "Equal" and bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def untolerated(
    taints: Sequence[Taint | Json], tolerations: Sequence[Toleration | Json], effects: Collection[str]
) -> list[Taint | Json]:
    """The taints with one of `effects` that no toleration covers."""
    return [
        taint
        for taint in taints
        if taint["effect"] in effects and not any(tolerates(toleration, taint) for toleration in tolerations)
    ]
