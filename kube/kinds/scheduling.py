"""scheduling.k8s.io/v1: PriorityClass."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.errors import FieldError, forbidden, required
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind, register
from kube.validation import check_choice, check_unchanged

HIGHEST_USER_PRIORITY = 10**9
SYSTEM = {
    "system-cluster-critical": 2 * HIGHEST_USER_PRIORITY,
    "system-node-critical": 2 * HIGHEST_USER_PRIORITY + 1000,
}
POLICIES = ("PreemptLowerPriority", "Never")


class PriorityClassStrategy(ObjectStrategy):
    namespaced = False
    generation = True

    def default(self, obj: Json) -> None:
        obj.setdefault("preemptionPolicy", "PreemptLowerPriority")

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        # Names and values of the system's own classes are fixed; others stay below them.
        name, value = obj["metadata"].get("name", ""), obj.get("value") or 0
        reserved = "priority class names with 'system-' prefix are reserved for system use only. error: "
        if not name.startswith("system-"):
            if value > HIGHEST_USER_PRIORITY:
                message = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
                errors.append(forbidden("value", message))
        elif name not in SYSTEM:
            errors.append(forbidden("metadata.name", f"{reserved}{name} is not a known system priority class"))
        elif value != SYSTEM[name]:
            message = f"{reserved}value of {name} PriorityClass must be {SYSTEM[name]}"
            errors.append(forbidden("metadata.name", message))
        elif obj.get("globalDefault"):
            errors.append(forbidden("metadata.name", f"{reserved}globalDefault of {name} PriorityClass must be false"))
        return errors

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        policy = obj["preemptionPolicy"]
        wrong = check_choice("preemptionPolicy", policy, POLICIES) if policy else [required("preemptionPolicy")]
        return super().validate(obj, ctx) + wrong

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        if obj.get("value", 0) != old.get("value", 0):
            errors.append(forbidden("value", "may not be changed in an update."))
        return errors + check_unchanged(
            "preemptionPolicy", obj["preemptionPolicy"], old.get("preemptionPolicy", "PreemptLowerPriority")
        )


def cells(obj: Json, now: float) -> list[Any]:
    return [
        obj["metadata"]["name"],
        obj.get("value") or 0,
        bool(obj.get("globalDefault")),
        c.age(obj, now),
        obj.get("preemptionPolicy", ""),
    ]


register(
    Kind(
        "scheduling.k8s.io",
        "v1",
        "PriorityClass",
        "priorityclasses",
        namespaced=False,
        short_names=("pc",),
        strategy=PriorityClassStrategy(),
        definition="io.k8s.api.scheduling.v1.PriorityClass",
        cells=cells,
        columns=(
            c.NAME,
            c.column("Value", "integer", "The priority that pods of this class get."),
            c.column("Global-Default", "boolean", "Whether pods without a class get this one."),
            c.AGE,
            c.column("PreemptionPolicy", description="Whether pods of this class may displace others."),
        ),
    )
)
