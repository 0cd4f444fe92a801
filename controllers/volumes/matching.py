"""Which volume can be bound to which claim. Pure functions; the scheduler asks them, too."""

from __future__ import annotations

from collections.abc import Iterable

from kube import quantity, selectors
from kube.objects import Json


def satisfies(volume: Json, claim: Json) -> bool:
    """Whether an available volume can be bound to a claim: class, size, access modes, volume mode, selector."""
    spec, wanted = volume["spec"], claim["spec"]
    if volume["metadata"].get("deletionTimestamp") or (spec.get("claimRef") and not is_reserved(volume, claim)):
        return False
    if wanted.get("volumeName") and wanted["volumeName"] != volume["metadata"]["name"]:
        return False
    if class_of(volume) != class_of(claim):
        return False
    if (spec.get("volumeMode") or "Filesystem") != (wanted.get("volumeMode") or "Filesystem"):
        return False
    if not set(wanted.get("accessModes") or ()) <= set(spec.get("accessModes") or ()):
        return False
    labels = volume["metadata"].get("labels") or {}
    if wanted.get("selector") and not selectors.from_object(wanted["selector"]).matches(labels):
        return False
    size = ((wanted.get("resources") or {}).get("requests") or {}).get("storage", "0")
    return _size(volume) >= quantity.parse(size).nano


def smallest(volumes: Iterable[Json], claim: Json) -> Json | None:
    """The volume to take of those that satisfy a claim: one reserved for it, else the smallest."""
    return min(volumes, key=lambda v: (not is_reserved(v, claim), _size(v), v["metadata"]["name"]), default=None)


def is_reserved(volume: Json, claim: Json) -> bool:
    """Whether the volume is set aside for this very claim."""
    reference, meta = volume["spec"].get("claimRef") or {}, claim["metadata"]
    return (reference.get("namespace"), reference.get("name")) == (meta.get("namespace"), meta["name"]) and (
        not reference.get("uid") or reference["uid"] == meta.get("uid")
    )


def class_of(obj: Json) -> str:
    """The storage class of a volume or claim; the old annotation counts before the field."""
    annotation = (obj["metadata"].get("annotations") or {}).get("volume.beta.kubernetes.io/storage-class")
    return annotation or obj["spec"].get("storageClassName") or ""


def _size(volume: Json) -> int:
    return quantity.parse((volume["spec"].get("capacity") or {}).get("storage", "0")).nano
