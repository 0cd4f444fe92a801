"""kube_horizontalpodautoscaler_*, kube_poddisruptionbudget_*"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kube.objects import Json
from monitoring.objects.families import Families, Sample, conditions, find, labels, number

AUTOSCALERS = Families(
    "autoscaling/v2", "horizontalpodautoscalers", namespace="namespace", horizontalpodautoscaler="name"
)
BUDGETS = Families("policy/v1", "poddisruptionbudgets", namespace="namespace", poddisruptionbudget="name")
VALUES = (("value", "value"), ("averageValue", "average"), ("averageUtilization", "utilization"))

AUTOSCALERS.lifetime("kube_horizontalpodautoscaler")
AUTOSCALERS.field(
    "kube_horizontalpodautoscaler_metadata_generation",
    "The generation observed by the autoscaler.",
    "metadata",
    "generation",
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
    return (
        (
            labels(
                scaletargetref_api_version=target.get("apiVersion"),
                scaletargetref_kind=target["kind"],
                scaletargetref_name=target["name"],
            ),
            1,
        ),
    )


def _metrics(found: Iterable[Json] | None, field: str) -> Iterator[Sample]:
    """Values of a list of metrics; `field`: target in a specification, current in a status."""
    for metric in found or ():
        about = metric[metric["type"][0].lower() + metric["type"][1:]]
        name = about.get("name") or find(about, "metric", "name")
        for key, kind in VALUES:
            value = (about.get(field) or {}).get(key)
            if value is not None:
                yield labels(metric_name=name, metric_target_type=kind), number(value)


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

BUDGETS.lifetime("kube_poddisruptionbudget")
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
