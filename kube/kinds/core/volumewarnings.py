"""Warnings for volumes and claims that are valid but hardly meant so."""

from __future__ import annotations

from collections.abc import Iterable

from kube.kinds.pod.warnings import OLD_LABELS
from kube.objects import Json
from kube.quantity import NANO
from kube.resourcelist import nano

CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_OLD_ANNOTATIONS = {
    CLASS_ANNOTATION: 'deprecated since v1.8; use "storageClassName" attribute instead',
    "volume.beta.kubernetes.io/mount-options": 'deprecated since v1.31; use "mountOptions" attribute instead',
}
_OLD_SOURCES = {
    "cephfs": "cephfs: deprecated in v1.28, non-functional in v1.31+",
    "photonPersistentDisk": "photonPersistentDisk: deprecated in v1.11, non-functional in v1.16+",
    "scaleIO": "scaleIO: deprecated in v1.16, non-functional in v1.22+",
    "storageos": "storageOS: deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "glusterfs: deprecated in v1.25, non-functional in v1.26+",
    "rbd": "rbd: deprecated in v1.28, non-functional in v1.31+",
}
_RECYCLE = (
    "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to"
    " use dynamic provisioning."
)


def volume_warnings(volume: Json) -> list[str]:
    """Warnings for a PersistentVolume."""
    spec = volume["spec"]
    found = _annotation_warnings(volume, _OLD_ANNOTATIONS)
    if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        found.append(_RECYCLE)
    terms = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ()
    for i, term in enumerate(terms):
        path = f"spec.nodeAffinity.required.nodeSelectorTerms[{i}].matchExpressions"
        found += label_warnings(path, term.get("matchExpressions") or ())
    return found + [f"spec.{text}" for name, text in _OLD_SOURCES.items() if spec.get(name) is not None]


def claim_warnings(claim: Json) -> list[str]:
    """Warnings for a PersistentVolumeClaim."""
    found = _annotation_warnings(claim, (CLASS_ANNOTATION,))
    for name in ("requests", "limits"):
        amount = ((claim["spec"].get("resources") or {}).get(name) or {}).get("storage", "0")
        if nano(amount) % NANO:
            where = f"spec.resources.{name}[storage]"
            found.append(f'{where}: fractional byte value "{amount}" is invalid, must be an integer')
    return found


def label_warnings(path: str, expressions: Iterable[Json]) -> list[str]:
    """Warnings for labels of nodes that go by a newer name."""
    return [
        f"{path}[{i}].key: {OLD_LABELS[expression['key']]}"
        for i, expression in enumerate(expressions)
        if expression.get("key") in OLD_LABELS
    ]


def _annotation_warnings(obj: Json, names: Iterable[str]) -> list[str]:
    annotations = obj["metadata"].get("annotations") or {}
    return [f"metadata.annotations[{name}]: {_OLD_ANNOTATIONS[name]}" for name in names if name in annotations]
