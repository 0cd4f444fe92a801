"""Deployment."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.errors import FieldError, forbidden, invalid, not_supported
from kube.kinds.apps.workload import (
    WorkloadStrategy,
    check_at_most,
    check_collisions,
    check_count_or_percent,
    check_not_above_100,
    check_selector,
    magnitude,
)
from kube.kinds.pod.defaults import default_pod_template
from kube.objectmeta import validate_meta_update
from kube.objects import Json
from kube.registry import Context, Kind, Scale, keep
from kube.validation import check_counts, check_not_negative, check_unchanged

COUNTS = (
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "terminatingReplicas",
    "collisionCount",
    "observedGeneration",
)


class DeploymentStrategy(WorkloadStrategy):
    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        default_pod_template(spec.setdefault("template", {}))
        spec.setdefault("replicas", 1)
        spec.setdefault("revisionHistoryLimit", 10)
        spec.setdefault("progressDeadlineSeconds", 600)
        strategy = spec.setdefault("strategy", {})
        strategy["type"] = strategy.get("type") or "RollingUpdate"
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", "25%")
            rolling.setdefault("maxSurge", "25%")

    def spec_of(self, obj: Json) -> Any:
        # Annotations count too: kubectl keeps its notes on a rollout there.
        return obj["spec"], obj["metadata"].get("annotations") or {}

    def prepare_status_update(self, obj: Json, old: Json, ctx: Context) -> None:
        super().prepare_status_update(obj, old, ctx)
        keep(obj["metadata"], old["metadata"], "labels")

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        errors = check_counts(spec, "spec", ("replicas", "minReadySeconds", "revisionHistoryLimit"))
        errors += check_selector(spec, "deployment", "ReplicaSet") + check_strategy(spec["strategy"])
        deadline = spec.get("progressDeadlineSeconds")
        errors += check_not_negative("spec.progressDeadlineSeconds", deadline)
        if deadline is not None and deadline <= (spec.get("minReadySeconds") or 0):
            errors.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
        return errors

    def validate_update(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        """What may not change comes last."""
        errors = validate_meta_update(obj["metadata"], old["metadata"])
        return errors + self.check_object(obj, ctx) + self.check_change(obj, old, ctx)

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_unchanged("spec.selector", obj["spec"].get("selector"), old["spec"].get("selector"))

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        status = obj.get("status") or {}
        errors = check_counts(status, "status", COUNTS)
        errors += check_at_most(
            status, ("updatedReplicas", "readyReplicas", "availableReplicas"), "replicas", "status.replicas"
        )
        errors += check_at_most(status, ("availableReplicas",), "readyReplicas", "readyReplicas")
        return errors + check_collisions(obj, old)


def check_strategy(strategy: Json) -> list[FieldError]:
    """Recreate, or a rolling update that can move: surge and unavailability may not both be zero."""
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        return (
            []
            if rolling is None
            else [forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")]
        )
    if kind != "RollingUpdate":
        shown = {"Type": kind, "RollingUpdate": rolling}
        return [not_supported("spec.strategy", shown, ["Recreate", "RollingUpdate"])]
    path = "spec.strategy.rollingUpdate"
    rolling = rolling or {}
    unavailable, surge = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    errors = check_count_or_percent(f"{path}.maxUnavailable", unavailable)
    errors += check_count_or_percent(f"{path}.maxSurge", surge)
    if not errors and magnitude(unavailable) == 0 and magnitude(surge) == 0:
        errors.append(invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
    return errors + check_not_above_100(f"{path}.maxUnavailable", unavailable)


def cells(obj: Json, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        f"{status.get('readyReplicas') or 0}/{spec.get('replicas') or 0}",
        status.get("updatedReplicas") or 0,
        status.get("availableReplicas") or 0,
        c.age(obj, now),
        *c.containers(spec.get("template")),
        c.selector(spec.get("selector")),
    ]


KIND = Kind(
    "apps",
    "v1",
    "Deployment",
    "deployments",
    short_names=("deploy",),
    categories=("all",),
    subresources=("scale", "status"),
    definition="io.k8s.api.apps.v1.Deployment",
    strategy=DeploymentStrategy(),
    scale=Scale(),
    cells=cells,
    columns=(
        c.NAME,
        c.column("Ready", description="Number of the pod with ready state"),
        c.column("Up-to-date", description="Pods that have the desired template spec."),
        c.column("Available", description="Pods ready for at least minReadySeconds."),
        c.AGE,
        c.column("Containers", description="Names of each container in the template.", wide=True),
        c.column("Images", description="Images referenced by each container in the template.", wide=True),
        c.column("Selector", description="Label selector for pods.", wide=True),
    ),
)
