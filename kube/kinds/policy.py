"""policy/v1: PodDisruptionBudget. (Eviction is a subresource of pods.)"""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.errors import FieldError, invalid
from kube.kinds.apps.workload import check_count_or_percent, check_not_above_100
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind, register
from kube.validation import check_choice, check_counts, check_label_selector

POLICIES = ("AlwaysAllow", "IfHealthyBudget")
COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


class PodDisruptionBudgetStrategy(ObjectStrategy):
    status = True
    generation = True

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj.get("spec") or {}
        least, most, policy = (spec.get(n) for n in ("minAvailable", "maxUnavailable", "unhealthyPodEvictionPolicy"))
        errors: list[FieldError] = []
        if least is not None and most is not None:
            shown = {
                "MinAvailable": least,
                "Selector": spec.get("selector"),
                "MaxUnavailable": most,
                "UnhealthyPodEvictionPolicy": policy,
            }
            errors.append(invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set"))
        for path, value in (("spec.minAvailable", least), ("spec.maxUnavailable", most)):
            errors += check_count_or_percent(path, value) + check_not_above_100(path, value)
        errors += check_label_selector("spec.selector", spec.get("selector"))
        if policy is not None:
            errors += check_choice("spec.unhealthyPodEvictionPolicy", policy, POLICIES)
        return errors

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_counts(obj.get("status") or {}, "status", COUNTS)


def cells(obj: Json, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    limits = ["N/A" if spec.get(name) is None else str(spec[name]) for name in ("minAvailable", "maxUnavailable")]
    return [obj["metadata"]["name"], *limits, status.get("disruptionsAllowed") or 0, c.age(obj, now)]


register(
    Kind(
        "policy",
        "v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        short_names=("pdb",),
        subresources=("status",),
        strategy=PodDisruptionBudgetStrategy(),
        definition="io.k8s.api.policy.v1.PodDisruptionBudget",
        cells=cells,
        columns=(
            c.NAME,
            c.column("Min Available", description="The minimum number of pods that must be available."),
            c.column("Max Unavailable", description="The maximum number of pods that may be unavailable."),
            c.column("Allowed Disruptions", "integer", "How many pods may be evicted at the moment."),
            c.AGE,
        ),
    )
)
