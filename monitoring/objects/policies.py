"""kube_horizontalpodautoscaler_*, kube_poddisruptionbudget_*"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kube import quantity
from kube.objects import Json
from monitoring.objects.families import Families, Sample, conditions, find, number
from monitoring.objects.selection import labels

AUTOSCALERS = Families(
    "autoscaling/v2", "horizontalpodautoscalers", namespace="namespace", horizontalpodautoscaler="name"
)
BUDGETS = Families("policy/v1", "poddisruptionbudgets", namespace="namespace", poddisruptionbudget="name")
VALUES = (("value", "value"), ("averageValue", "average"), ("averageUtilization", "utilization"))

AUTOSCALERS.lifetime("kube_horizontalpodautoscaler")
AUTOSCALERS.selectable("kube_horizontalpodautoscaler")
AUTOSCALERS.field(
    "kube_horizontalpodautoscaler_metadata_generation",
    "The generation observed by the autoscaler.",
    "metadata",
    "generation",
    missing=0,
)
AUTOSCALERS.field(
    "kube_horizontalpodautoscaler_spec_max_replicas", "Upper limit for the number of pods.", "spec", "maxReplicas"
)
AUTOSCALERS.field(
    "kube_horizontalpodautoscaler_spec_min_replicas",
    "Lower limit for the number of pods.",
    "spec",
    "minReplicas",
    missing=1,
)
AUTOSCALERS.field(
    "kube_horizontalpodautoscaler_status_current_replicas",
    "Current number of replicas.",
    "status",
    "currentReplicas",
    missing=0,
)
AUTOSCALERS.field(
    "kube_horizontalpodautoscaler_status_desired_replicas",
    "Desired number of replicas.",
    "status",
    "desiredReplicas",
    missing=0,
)
AUTOSCALERS.add("kube_horizontalpodautoscaler_status_condition", "The condition of this autoscaler.", conditions)


@AUTOSCALERS.gauge("kube_horizontalpodautoscaler_info", "Information about this autoscaler.")
def info(autoscaler: Json) -> Iterable[Sample]:
    target = autoscaler["spec"]["scaleTargetRef"]
    version = {"scaletargetref_api_version": target["apiVersion"]} if target.get("apiVersion") else {}
    return ((labels(**version, scaletargetref_kind=target["kind"], scaletargetref_name=target["name"]), 1),)


def _metrics(found: Iterable[Json] | None, field: str) -> Iterator[Sample]:
    """Values of a list of metrics; `field`: target in a specification, current in a status."""
    for metric in found or ():
        about = metric.get(metric["type"][0].lower() + metric["type"][1:]) or {}
        name = about.get("name") or find(about, "metric", "name")
        for key, kind in VALUES:
            value = (about.get(field) or {}).get(key)
            if value is not None:
                about_it = labels(metric_name=name, metric_target_type=kind, container=about.get("container"))
                yield about_it, number(value)


AUTOSCALERS.add(
    "kube_horizontalpodautoscaler_spec_target_metric",
    "The metric specifications used by this autoscaler.",
    lambda obj: _metrics(find(obj, "spec", "metrics"), "target"),
)
AUTOSCALERS.add(
    "kube_horizontalpodautoscaler_status_target_metric",
    "The current metric status used by this autoscaler.",
    lambda obj: _metrics(find(obj, "status", "currentMetrics"), "current"),
)


def _tolerance(way: str) -> None:
    def make(autoscaler: Json) -> Iterable[Sample]:
        value = find(autoscaler, "spec", "behavior", f"scale{way.capitalize()}", "tolerance")
        return () if value is None else (("", quantity.parse(value).nano / quantity.NANO),)

    AUTOSCALERS.add(
        f"kube_horizontalpodautoscaler_spec_behavior_scale_{way}_tolerance",
        f"By how much a metric may miss its target before the autoscaler scales {way}.",
        make,
    )


_tolerance("up")
_tolerance("down")

BUDGETS.lifetime("kube_poddisruptionbudget")
BUDGETS.selectable("kube_poddisruptionbudget")
for _name, _field in (
    ("current_healthy", "currentHealthy"),
    ("desired_healthy", "desiredHealthy"),
    ("pod_disruptions_allowed", "disruptionsAllowed"),
    ("expected_pods", "expectedPods"),
    ("observed_generation", "observedGeneration"),
):
    BUDGETS.field(
        f"kube_poddisruptionbudget_status_{_name}", f"What the status gives as {_field}.", "status", _field, missing=0
    )
