"""ControllerRevision: an immutable snapshot of a workload's template."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube import ownerrefs
from kube.errors import FieldError, required
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import check_not_negative, check_unchanged


class ControllerRevisionStrategy(ObjectStrategy):
    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        return check_not_negative("revision", obj.get("revision"))

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors, data = super().validate(obj, ctx), obj.get("data")
        if data is None:
            return [*errors, required("data", "data is mandatory")]
        return errors if isinstance(data, dict) else [*errors, required("data", "data must be a valid JSON object")]

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_unchanged("data", obj.get("data"), old.get("data"))


def cells(obj: Json, now: float) -> list[Any]:
    owner, controller = ownerrefs.controller(obj["metadata"]), c.NONE
    if owner is not None:  # such as `deployment.apps/web`
        group, kind = owner["apiVersion"].rpartition("/")[0], owner["kind"].lower()
        controller = f"{kind}.{group}/{owner['name']}" if group else f"{kind}/{owner['name']}"
    return [obj["metadata"]["name"], controller, obj.get("revision") or 0, c.age(obj, now)]


KIND = Kind(
    "apps",
    "v1",
    "ControllerRevision",
    "controllerrevisions",
    definition="io.k8s.api.apps.v1.ControllerRevision",
    strategy=ControllerRevisionStrategy(),
    cells=cells,
    columns=(
        c.NAME,
        c.column("Controller", description="Controller of the object"),
        c.column("Revision", description="Revision indicates the revision of the state represented by Data."),
        c.AGE,
    ),
)
