"""The end of a CRD: its objects go first, while it is still served, so that their finalizers can be taken off.

A deletion marks the CRD with a finalizer and the condition Terminating (`begin`); the API server's `Follower` deletes the
objects, and takes the finalizer off when none is left (`finish`). New objects are refused meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cluster.crd import conditions
from cluster.errors import NotFound

if TYPE_CHECKING:
    from cluster.registry import Kind
    from cluster.verbs import Session

Json = dict[str, Any]
DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"


def begin(crd: Json) -> None:
    """What the first request to delete a CRD leaves in it."""
    finalizers = crd["metadata"].setdefault("finalizers", [])
    if FINALIZER not in finalizers:
        finalizers.append(FINALIZER)
    conditions.put(
        crd.setdefault("status", {}),
        "Terminating",
        "True",
        "InstanceDeletionPending",
        "CustomResourceDefinition marked for deletion; CustomResource deletion will be initiated soon",
    )


def is_held(crd: Json) -> bool:
    """Whether a CRD is being deleted, and its objects are not gone yet."""
    meta = crd["metadata"]
    return bool(meta.get("deletionTimestamp")) and FINALIZER in (meta.get("finalizers") or ())


def finish(session: Session, name: str, custom: Kind | None) -> bool:
    """Delete the objects of the CRD `name`, and let it go when none is left; returns whether that was so.

    `custom`: a kind that it makes, None if it never made one. Raises ApiError when an object cannot be deleted now.
    """
    for entry in session.cache.list(name) if custom else ():
        if custom and not entry.meta.deletionTimestamp:
            try:
                session.delete(custom, entry.key.namespace, entry.key.name)
            except NotFound:
                continue
    if custom and session.cache.list(name):
        return False
    session.mutate(DEFINITIONS, "", name, _released)
    return True


def _released(crd: Json) -> None:
    crd["metadata"]["finalizers"] = [f for f in crd["metadata"].get("finalizers") or () if f != FINALIZER]
