"""apiextensions.k8s.io/v1: CustomResourceDefinition. What a CRD leads to is in `kube.crd`."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.crd import definition, deletion, warnings
from kube.errors import FieldError
from kube.objectmeta import ObjectStrategy, validate_meta, validate_meta_update
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
        conversion = spec.setdefault("conversion", {"strategy": "None"})
        webhook = conversion.get("webhook") or {}
        service = (webhook.get("clientConfig") or {}).get("service")
        if service is not None:
            service.setdefault("port", 443)
        if webhook.get("clientConfig") is None and not webhook.get("conversionReviewVersions"):
            conversion.pop("webhook", None)
        for part in definition.parts(obj):
            if not isinstance(part.get("items"), dict | list):
                part.pop("items", None)  # read as nothing, as Kubernetes does

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        obj["metadata"]["generation"] = 1
        obj["status"] = {"storedVersions": _storage(obj)}

    def prepare_update(self, obj: Json, old: Json, ctx: Context) -> None:
        super().prepare_update(obj, old, ctx)
        stored = list((obj.get("status") or {}).get("storedVersions") or ())
        new = [name for name in _storage(obj) if name not in stored]
        if new:
            obj["status"] = {**(obj.get("status") or {}), "storedVersions": stored + new}

    def prepare_delete(self, obj: Json) -> None:
        deletion.begin(obj)

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        name_check = definition.name_check(obj["spec"])
        return validate_meta(obj["metadata"], False, name_check, standard_finalizers=False) + definition.validate(obj)

    def validate_update(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        errors = validate_meta_update(obj["metadata"], old["metadata"], standard_finalizers=False)
        return errors + definition.validate_change(obj, old) + definition.validate(obj, old)

    def warnings(self, obj: Json, old: Json | None, ctx: Context) -> list[str]:
        known = warnings.of_schemas(old) if old else []
        return [text for text in warnings.of_schemas(obj) if text not in known]


def _storage(obj: Json) -> list[str]:
    """The name of the first storage version, if there is one."""
    return [v.get("name") or "" for v in obj["spec"].get("versions") or () if v.get("storage")][:1]


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
