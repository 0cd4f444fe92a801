"""ServiceAccount: an identity for pods."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.kinds.core.base import CoreStrategy
from kube.objects import Json
from kube.registry import Kind


def _cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], c.age(obj, now)]


KINDS = (
    Kind(
        "",
        "v1",
        "ServiceAccount",
        "serviceaccounts",
        short_names=("sa",),
        subresources=("token",),
        definition="io.k8s.api.core.v1.ServiceAccount",
        strategy=CoreStrategy(),
        cells=_cells,
        columns=(c.NAME, c.AGE),
    ),
)
