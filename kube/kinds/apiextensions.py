"""apiextensions.k8s.io/v1: CustomResourceDefinition. What a CRD leads to is in `kube.crd`."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.crd import definition, deletion
from kube.errors import FieldError
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Column, Context, Kind, register


class DefinitionStrategy(ObjectStrategy):
    """Names and conversion have defaults; the status is written by the API server when it accepts the names."""

    namespaced = False
    status = True
    generation = True
    unconditional_update = False

    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        names = spec.setdefault("names", {})
        if names.get("kind"):
            names.setdefault("singular", names["kind"].lower())
            names.setdefault("listKind", names["kind"] + "List")
        conversion = spec.get("conversion") or {"strategy": "None"}
        conversion.setdefault("strategy", "None")
        service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
        if service is not None and not service.get("port"):
            service["port"] = 443
        spec["conversion"] = conversion

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        obj["metadata"]["generation"] = 1
        obj["status"] = {"storedVersions": _storage(obj)} if _storage(obj) else {}

    def prepare_update(self, obj: Json, old: Json, ctx: Context) -> None:
        super().prepare_update(obj, old, ctx)
        stored = list((obj.get("status") or {}).get("storedVersions") or ())
        new = [name for name in _storage(obj) if name not in stored]
        if new:
            obj["status"] = {**(obj.get("status") or {}), "storedVersions": stored + new}

    def prepare_delete(self, obj: Json) -> None:
        deletion.begin(obj)

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        return definition.validate_name(obj) + super().validate(obj, ctx)

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        return definition.validate(obj)

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return definition.validate_change(obj, old)


def _storage(obj: Json) -> list[str]:
    """The name of the storage version, if the CRD has exactly one."""
    found = [v["name"] for v in obj["spec"].get("versions") or () if v.get("storage") and v.get("name")]
    return found if len(found) == 1 else []


def _cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], obj["metadata"].get("creationTimestamp")]


register(
    Kind(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        subresources=("status",),
        definition="io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
        strategy=DefinitionStrategy(),
        cells=_cells,
        columns=(c.column("Name"), Column("Created At", "date", description="When the object was created.")),
    )
)
