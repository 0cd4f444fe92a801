"""DefaultStorageClass: a claim that names no class gets the default one."""

from __future__ import annotations

from cluster.admission.default_class import default_class
from cluster.admission.plugin import Plugin
from cluster.admission.request import Request

ANNOTATION = "storageclass.kubernetes.io/is-default-class"
OLD_CLAIM_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


class DefaultStorageClass(Plugin):
    storages = frozenset({"persistentvolumeclaims"})

    def mutate(self, request: Request) -> None:
        spec = request.obj.setdefault("spec", {})
        annotated = OLD_CLAIM_ANNOTATION in (request.obj["metadata"].get("annotations") or {})
        if spec.get("storageClassName") is not None or annotated:
            return
        name = default_class(request, "storageclasses.storage.k8s.io", ANNOTATION)
        if name is not None:
            spec["storageClassName"] = name
