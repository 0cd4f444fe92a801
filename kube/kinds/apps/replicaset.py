"""ReplicaSet."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.errors import FieldError
from kube.kinds.apps.workload import WorkloadStrategy, check_at_most, check_selector
from kube.kinds.pod.defaults import default_pod_template
from kube.objects import Json
from kube.registry import Context, Kind, Scale
from kube.validation import check_counts, check_unchanged

COUNTS = (
    "replicas",
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas",
    "terminatingReplicas",
    "observedGeneration",
)


class ReplicaSetStrategy(WorkloadStrategy):
    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        default_pod_template(spec.setdefault("template", {}))
        spec.setdefault("replicas", 1)

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        return [
            *check_counts(spec, "spec", ("replicas", "minReadySeconds")),
            *check_selector(spec, "deployment", "ReplicaSet"),
        ]

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_unchanged("spec.selector", obj["spec"].get("selector"), old["spec"].get("selector"))

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        status = obj.get("status") or {}
        return [
            *check_counts(status, "status", COUNTS),
            *check_at_most(
                status, ("fullyLabeledReplicas", "readyReplicas", "availableReplicas"), "replicas", "status.replicas"
            ),
            *check_at_most(status, ("availableReplicas",), "readyReplicas", "readyReplicas"),
        ]


def cells(obj: Json, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        spec.get("replicas") or 0,
        status.get("replicas") or 0,
        status.get("readyReplicas") or 0,
        c.age(obj, now),
        *c.containers(spec.get("template")),
        c.selector(spec.get("selector")),
    ]


KIND = Kind(
    "apps",
    "v1",
    "ReplicaSet",
    "replicasets",
    short_names=("rs",),
    categories=("all",),
    subresources=("scale", "status"),
    definition="io.k8s.api.apps.v1.ReplicaSet",
    strategy=ReplicaSetStrategy(),
    scale=Scale(),
    cells=cells,
    columns=(
        c.NAME,
        c.column("Desired", "integer", "Number of desired pods."),
        c.column("Current", "integer", "Number of pods that exist."),
        c.column("Ready", "integer", "Number of pods that are ready."),
        c.AGE,
        c.column("Containers", description="Names of each container in the template.", wide=True),
        c.column("Images", description="Images referenced by each container in the template.", wide=True),
        c.column("Selector", description="Label query over pods that should match the replica count.", wide=True),
    ),
)
