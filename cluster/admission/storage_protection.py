"""StorageObjectInUseProtection: volumes and claims carry a finalizer from the start, so that none goes while in use."""

from __future__ import annotations

from cluster.admission.plugin import Plugin
from cluster.admission.request import Request

FINALIZERS = {
    "persistentvolumes": "kubernetes.io/pv-protection",
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "volumeattributesclasses.storage.k8s.io": "kubernetes.io/vac-protection",
}


class StorageProtection(Plugin):
    storages = frozenset(FINALIZERS)

    def mutate(self, request: Request) -> None:
        meta, wanted = request.obj["metadata"], FINALIZERS[request.kind.storage]
        if wanted not in (meta.get("finalizers") or ()):
            meta["finalizers"] = [*(meta.get("finalizers") or ()), wanted]
