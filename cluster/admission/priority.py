"""Priority: a pod's class becomes a number; a class may be the default of all pods."""

from __future__ import annotations

from cluster.admission.plugin import CREATE, UPDATE, Plugin
from cluster.admission.request import Request

CLASSES = "priorityclasses.scheduling.k8s.io"
PREEMPT = "PreemptLowerPriority"


class Priority(Plugin):
    operations = frozenset({CREATE, UPDATE})
    storages = frozenset({"pods"})

    def mutate(self, request: Request) -> None:
        spec = request.obj["spec"]
        if request.old is not None:  # what a client that does not know them leaves out stays
            for field in ("priority", "preemptionPolicy"):
                if spec.get(field) is None and (before := request.old["spec"].get(field)) is not None:
                    spec[field] = before
            return
        name = spec.get("priorityClassName")
        if name:
            entry = request.find(CLASSES, name)
            if entry is None:
                raise request.forbid(f"no PriorityClass with name {name} was found")
            chosen = entry.shared()
        else:
            classes = [entry.shared() for entry in request.cache.list(CLASSES)]
            defaults = [c for c in classes if c.get("globalDefault")]
            chosen = min(defaults, key=lambda c: c.get("value", 0), default={})
        value, policy = chosen.get("value", 0), chosen.get("preemptionPolicy") or PREEMPT
        given = spec.get("priority")
        if given is not None and given != value:
            raise request.forbid(
                f"the integer value of priority ({given}) must not be provided in pod spec; priority "
                f"admission controller computed {value} from the given PriorityClass name"
            )
        wanted = spec.get("preemptionPolicy")
        if wanted is not None and wanted != policy:
            raise request.forbid(
                f"the string value of PreemptionPolicy ({wanted}) must not be provided in pod spec; "
                f"priority admission controller computed {policy} from the given PriorityClass name"
            )
        spec["priority"], spec["preemptionPolicy"] = value, policy
        if chosen:
            spec["priorityClassName"] = chosen["metadata"]["name"]
