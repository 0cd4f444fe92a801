"""PodTemplate: a pod to be made later."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.errors import FieldError
from kube.kinds.core.base import CoreStrategy
from kube.kinds.pod.defaults import default_pod_template
from kube.kinds.pod.validation import validate_pod_template
from kube.objects import Json
from kube.registry import Context, Kind


class PodTemplateStrategy(CoreStrategy):
    generation = True

    def default(self, obj: Json) -> None:
        default_pod_template(obj.setdefault("template", {}))

    def spec_of(self, obj: Json) -> Any:
        return obj.get("template")

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        return validate_pod_template(obj["template"], "template")


def _cells(obj: Json, now: float) -> list[Any]:
    template = obj.get("template") or {}
    return [obj["metadata"]["name"], *c.containers(template), c.labels((template.get("metadata") or {}).get("labels"))]


KINDS = (
    Kind(
        "",
        "v1",
        "PodTemplate",
        "podtemplates",
        definition="io.k8s.api.core.v1.PodTemplate",
        strategy=PodTemplateStrategy(),
        cells=_cells,
        columns=(
            c.NAME,
            c.column("Containers", description="Names of the containers in the template."),
            c.column("Images", description="Images of the containers in the template."),
            c.column("Pod Labels", description="Labels that pods of the template get."),
        ),
    ),
)
