"""node.k8s.io/v1: RuntimeClass."""

from __future__ import annotations

import json
from typing import Any

from kube import columns as c
from kube.errors import FieldError, duplicate, invalid
from kube.kinds.pod.validation_scheduling import check_tolerations
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind, register
from kube.resourcelist import canonical_list, check_container_name, nano
from kube.validation import NOT_NEGATIVE, check_labels, check_required, check_unchanged, dns1123_label, repeats


class RuntimeClassStrategy(ObjectStrategy):
    namespaced = False

    def default(self, obj: Json) -> None:
        canonical_list((obj.get("overhead") or {}).get("podFixed"))

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        handler = obj.get("handler") or ""
        errors = check_required("handler", handler, dns1123_label)
        # The path says "limits": overhead is checked as if it were a container's.
        for name, value in ((obj.get("overhead") or {}).get("podFixed") or {}).items():
            errors += check_container_name(f"overhead.limits[{name}]", name)
            if nano(value) < 0:
                errors.append(invalid(f"overhead.limits[{name}]", value, NOT_NEGATIVE))
        scheduling = obj.get("scheduling") or {}
        errors += check_labels("scheduling.nodeSelector", scheduling.get("nodeSelector"))
        tolerations = scheduling.get("tolerations") or []
        errors += check_tolerations(tolerations, "scheduling.tolerations")
        written = [json.dumps(toleration, sort_keys=True) for toleration in tolerations]
        return errors + [duplicate(f"scheduling.tolerations[{i}]", tolerations[i]) for i in repeats(written)]

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_unchanged("handler", obj.get("handler"), old.get("handler"))


def cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], obj.get("handler", ""), c.age(obj, now)]


register(
    Kind(
        "node.k8s.io",
        "v1",
        "RuntimeClass",
        "runtimeclasses",
        namespaced=False,
        strategy=RuntimeClassStrategy(),
        definition="io.k8s.api.node.v1.RuntimeClass",
        cells=cells,
        columns=(c.NAME, c.column("Handler", description="The configuration that the node's runtime uses."), c.AGE),
    )
)
