"""Namespace: a scope for names, emptied before it goes."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube import selectors
from kube.errors import FieldError, invalid
from kube.kinds.core.base import ClusterScoped
from kube.objectmeta import check_standard_finalizer
from kube.objects import Json
from kube.registry import Context, Kind, keep
from kube.validation import check, dns1123_label, qualified_name

FINALIZER = "kubernetes"
NAME_LABEL = "kubernetes.io/metadata.name"


class NamespaceStrategy(ClusterScoped):
    status = True
    name_check = staticmethod(dns1123_label)

    def default(self, obj: Json) -> None:
        """Every namespace carries its own name as a label, for selectors."""
        meta = obj["metadata"]
        if name := meta.get("name"):
            meta["labels"] = {**(meta.get("labels") or {}), NAME_LABEL: name}

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        self.default(obj)
        spec = obj.setdefault("spec", {})
        finalizers = spec.get("finalizers") or []
        spec["finalizers"] = finalizers if FINALIZER in finalizers else [*finalizers, FINALIZER]
        obj["status"] = {"phase": "Active"}

    def prepare_update(self, obj: Json, old: Json, ctx: Context) -> None:
        keep(obj, old, "spec")
        keep(obj, old, "status")

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        for finalizer in (obj.get("spec") or {}).get("finalizers") or ():
            errors += check("spec.finalizers", finalizer, qualified_name)
            errors += check_standard_finalizer("spec.finalizers", finalizer)
        return errors

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        phase = (obj.get("status") or {}).get("phase", "")
        if obj["metadata"].get("deletionTimestamp"):
            wanted, when = "Terminating", "is set"
        else:
            wanted, when = "Active", "is empty"
        if phase == wanted:
            return []
        return [invalid("status.phase", phase, f"may only be '{wanted}' if `deletionTimestamp` {when}")]


def _cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], (obj.get("status") or {}).get("phase", ""), c.age(obj, now)]


KINDS = (
    Kind(
        "",
        "v1",
        "Namespace",
        "namespaces",
        namespaced=False,
        short_names=("ns",),
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        subresources=("finalize", "status"),
        definition="io.k8s.api.core.v1.Namespace",
        strategy=NamespaceStrategy(),
        cells=_cells,
        fields={"status.phase": selectors.field("status", "phase")},
        columns=(c.NAME, c.column("Status", description="Active, or Terminating while it is emptied."), c.AGE),
    ),
)
