"""`metadata.ownerReferences`: who an object belongs to, and which of its owners manages it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from kube.objects import Json

if TYPE_CHECKING:
    from kube.shapes import OwnerReference


def reference(owner: Mapping[str, Any]) -> Json:
    """The owner reference that makes `owner` the manager of an object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller(metadata: Mapping[str, Any]) -> OwnerReference | None:
    """The reference to the owner that manages the object, None where nobody does."""
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            found: OwnerReference = owner
            return found
    return None


def remove(metadata: Json, uids: Collection[str]) -> None:
    """Drop the references to these owners."""
    kept = [owner for owner in metadata.get("ownerReferences") or () if owner["uid"] not in uids]
    if kept:
        metadata["ownerReferences"] = kept
    else:
        metadata.pop("ownerReferences", None)
