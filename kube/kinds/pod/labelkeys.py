"""Selectors that are completed by the labels of the pod they stand in (`matchLabelKeys`, `mismatchLabelKeys`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kube.objects import Json

_OPERATORS = (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))


def merge_label_keys(spec: Json, labels: Mapping[str, str]) -> None:
    """Add to each selector, in place, what its keys say with the values of the pod's labels: once, when it is created."""
    for holder in _holders(spec):
        if (selector := holder.get("labelSelector")) is None:
            continue
        added = [
            {"key": key, "operator": operator, "values": [labels[key]]}
            for name, operator in _OPERATORS
            for key in holder.get(name) or ()
            if key in labels
        ]
        if added:
            selector["matchExpressions"] = [*(selector.get("matchExpressions") or ()), *added]


def _holders(spec: Json) -> Iterator[Json]:
    """What has a selector with keys: the terms of both affinities between pods, and the constraints on spreading."""
    affinity = spec.get("affinity") or {}
    for name in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(name) or {}
        yield from rules.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        for term in rules.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
            yield term.get("podAffinityTerm") or {}
    yield from spec.get("topologySpreadConstraints") or ()
