"""ReplicationController: the older sibling of ReplicaSet, with a plain selector."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube import selectors
from kube.errors import FieldError, invalid, not_supported, required
from kube.kinds.core.base import CoreStrategy
from kube.kinds.pod.defaults import default_pod_template
from kube.kinds.pod.validation import validate_pod_template
from kube.objects import Json
from kube.registry import Context, Kind, Scale
from kube.validation import check_counts, check_not_negative

_COUNTS = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration")


class ReplicationControllerStrategy(CoreStrategy):
    status = True
    generation = True

    def default(self, obj: Json) -> None:
        """One replica; selector and labels are those of the template where none are given."""
        spec = obj.setdefault("spec", {})
        if (template := spec.get("template")) is not None:
            default_pod_template(template)
            if labels := template["metadata"].get("labels"):
                if not spec.get("selector"):
                    spec["selector"] = dict(labels)
                if not obj["metadata"].get("labels"):
                    obj["metadata"]["labels"] = dict(labels)
        spec.setdefault("replicas", 1)

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        obj["status"] = {"replicas": 0}

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        errors = check_not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
        selector, template = spec.get("selector"), spec.get("template")
        errors += [] if selector else [required("spec.selector")]
        errors += check_not_negative("spec.replicas", spec.get("replicas"))
        if template is None:
            return [*errors, required("spec.template")]
        labels, policy = template["metadata"].get("labels"), template["spec"].get("restartPolicy")
        if selector and not selectors.from_map(selector).matches(labels or {}):
            message = "`selector` does not match template `labels`"
            errors.append(invalid("spec.template.metadata.labels", labels, message))
        errors += validate_pod_template(template, "spec.template")
        if policy != "Always":
            errors.append(not_supported("spec.template.spec.restartPolicy", policy, ("Always",)))
        return errors

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        status = obj.get("status") or {}
        errors = check_counts(status, "status", _COUNTS)
        ready, available = status.get("readyReplicas") or 0, status.get("availableReplicas") or 0
        total = status.get("replicas") or 0
        errors += [
            invalid(f"status.{name}", status[name], "cannot be greater than status.replicas")
            for name in ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
            if (status.get(name) or 0) > total
        ]
        if available > ready:
            errors.append(invalid("status.availableReplicas", available, "cannot be greater than readyReplicas"))
        return errors


def _cells(obj: Json, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        spec.get("replicas") or 0,
        status.get("replicas") or 0,
        status.get("readyReplicas") or 0,
        c.age(obj, now),
        *c.containers(spec.get("template")),
        c.labels(spec.get("selector")),
    ]


KINDS = (
    Kind(
        "",
        "v1",
        "ReplicationController",
        "replicationcontrollers",
        short_names=("rc",),
        categories=("all",),
        subresources=("scale", "status"),
        definition="io.k8s.api.core.v1.ReplicationController",
        strategy=ReplicationControllerStrategy(),
        scale=Scale(),
        cells=_cells,
        fields={"status.replicas": lambda obj: str((obj.get("status") or {}).get("replicas") or 0)},
        columns=(
            c.NAME,
            c.column("Desired", "integer", "Replicas asked for."),
            c.column("Current", "integer", "Replicas that exist."),
            c.column("Ready", "integer", "Replicas that are ready."),
            c.AGE,
            c.column("Containers", description="Names of the containers in the template.", wide=True),
            c.column("Images", description="Images of the containers in the template.", wide=True),
            c.column("Selector", description="Labels that the pods must have.", wide=True),
        ),
    ),
)
