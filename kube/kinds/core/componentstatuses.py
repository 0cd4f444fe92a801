"""ComponentStatus and Binding: kinds that the API answers or takes but does not keep."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.kinds.core.base import Unchecked
from kube.objects import Json
from kube.registry import Kind


def _cells(obj: Json, now: float) -> list[Any]:
    status, message, error = "Unknown", "", ""
    for condition in obj.get("conditions") or ():
        if condition.get("type") == "Healthy":
            status = "Healthy" if condition.get("status") == "True" else "Unhealthy"
            message, error = condition.get("message", ""), condition.get("error", "")
    return [obj["metadata"]["name"], status, message, error]


KINDS = (
    Kind(
        "",
        "v1",
        "ComponentStatus",
        "componentstatuses",
        namespaced=False,
        short_names=("cs",),
        verbs=("get", "list"),
        definition="io.k8s.api.core.v1.ComponentStatus",
        strategy=Unchecked(),
        cells=_cells,
        columns=(
            c.NAME,
            c.column("Status", description="Whether the component answers."),
            c.column("Message", description="What the component says."),
            c.column("Error", description="Why it did not answer."),
        ),
    ),
    Kind(
        "",
        "v1",
        "Binding",
        "bindings",
        verbs=("create",),
        definition="io.k8s.api.core.v1.Binding",
        strategy=Unchecked(),
    ),
)
