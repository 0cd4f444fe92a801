"""DaemonSet. The template's own generation lives in an annotation, as a relic that old controllers read."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.errors import FieldError, invalid, not_supported, required
from kube.kinds.apps.workload import (
    WorkloadStrategy,
    check_count_or_percent,
    check_not_above_100,
    check_template,
    is_empty,
    magnitude,
)
from kube.kinds.pod.defaults import default_pod_template
from kube.objects import Json, whole
from kube.registry import Context, Kind
from kube.validation import check_counts, check_label_selector, check_unchanged

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
COUNTS = (
    "currentNumberScheduled",
    "numberMisscheduled",
    "desiredNumberScheduled",
    "numberReady",
    "observedGeneration",
    "updatedNumberScheduled",
    "numberAvailable",
    "numberUnavailable",
    "collisionCount",
)


class DaemonSetStrategy(WorkloadStrategy):
    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        default_pod_template(spec.setdefault("template", {}))
        spec.setdefault("revisionHistoryLimit", 10)
        strategy = spec.setdefault("updateStrategy", {})
        strategy["type"] = strategy.get("type") or "RollingUpdate"
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", 1)
            rolling.setdefault("maxSurge", 0)

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        _set_template_generation(obj, max(1, _template_generation(obj)))

    def prepare_update(self, obj: Json, old: Json, ctx: Context) -> None:
        super().prepare_update(obj, old, ctx)
        changed = obj["spec"].get("template") != old["spec"].get("template")
        _set_template_generation(obj, _template_generation(old) + changed)

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        selector, template = spec.get("selector"), spec.get("template") or {}
        errors = check_label_selector("spec.selector", selector)
        # A malformed selector is reported once: whether it would match is then beside the point.
        malformed = errors and selector is not None and not is_empty(selector)
        if selector is not None and is_empty(selector):
            errors.append(invalid("spec.selector", selector, "empty selector is invalid for daemonset"))
        errors += check_template(template, {} if malformed else selector, "DaemonSet")
        errors += check_counts(spec, "spec", ("minReadySeconds", "revisionHistoryLimit"))
        return errors + check_update_strategy(spec["updateStrategy"])

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_unchanged("spec.selector", obj["spec"].get("selector"), old["spec"].get("selector"))

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_counts(obj.get("status") or {}, "status", COUNTS)


def _template_generation(obj: Json) -> int:
    text = (obj["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION, "")
    return whole(text) or 0


def _set_template_generation(obj: Json, value: int) -> None:
    obj["metadata"].setdefault("annotations", {})[TEMPLATE_GENERATION] = str(value)


def check_update_strategy(strategy: Json) -> list[FieldError]:
    """OnDelete, or a rolling update that either surges or takes pods away: exactly one of the two."""
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "OnDelete":
        return []
    if kind != "RollingUpdate":
        shown = {"Type": kind, "RollingUpdate": rolling}
        return [not_supported("spec.updateStrategy", shown, ["RollingUpdate", "OnDelete"])]
    path = "spec.updateStrategy.rollingUpdate"
    if rolling is None:
        return [required(path)]
    errors: list[FieldError] = []
    for name in ("maxUnavailable", "maxSurge"):
        errors += check_count_or_percent(f"{path}.{name}", rolling.get(name))
        errors += check_not_above_100(f"{path}.{name}", rolling.get(name))
    unavailable, surge = magnitude(rolling.get("maxUnavailable")), magnitude(rolling.get("maxSurge"))
    if unavailable and surge:
        errors.append(
            invalid(f"{path}.maxSurge", rolling["maxSurge"], "may not be set when maxUnavailable is non-zero")
        )
    elif not unavailable and not surge:
        errors.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    return errors


def cells(obj: Json, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    counts = [
        status.get(name) or 0
        for name in (
            "desiredNumberScheduled",
            "currentNumberScheduled",
            "numberReady",
            "updatedNumberScheduled",
            "numberAvailable",
        )
    ]
    template = spec.get("template") or {}
    return [
        obj["metadata"]["name"],
        *counts,
        c.labels((template.get("spec") or {}).get("nodeSelector")),
        c.age(obj, now),
        *c.containers(template),
        c.selector(spec.get("selector")),
    ]


KIND = Kind(
    "apps",
    "v1",
    "DaemonSet",
    "daemonsets",
    short_names=("ds",),
    categories=("all",),
    subresources=("status",),
    definition="io.k8s.api.apps.v1.DaemonSet",
    strategy=DaemonSetStrategy(),
    cells=cells,
    columns=(
        c.NAME,
        c.column("Desired", "integer", "Number of nodes that should run the daemon pod."),
        c.column("Current", "integer", "Number of nodes that run it and should."),
        c.column("Ready", "integer", "Number of nodes on which it runs and is ready."),
        c.column("Up-to-date", "integer", "Number of nodes that run the updated daemon pod."),
        c.column("Available", "integer", "Number of nodes on which it has been ready for minReadySeconds."),
        c.column("Node Selector", description="Labels that a node must have to run the daemon pod."),
        c.AGE,
        c.column("Containers", description="Names of each container in the template.", wide=True),
        c.column("Images", description="Images referenced by each container in the template.", wide=True),
        c.column("Selector", description="Label query over pods that the daemon set manages.", wide=True),
    ),
)
