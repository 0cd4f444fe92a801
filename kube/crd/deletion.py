"""The end of a CRD: its objects go first, while it is still served, so that their finalizers can be taken off.

A deletion marks the CRD with a finalizer and the condition Terminating (`begin`); the API server's follower deletes the
objects, and takes the finalizer off (`release`) when none is left. New objects are refused meanwhile.
"""

from __future__ import annotations

from kube import conditions
from kube.objects import Json

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"


def begin(crd: Json) -> None:
    """What the first request to delete a CRD leaves in it."""
    finalizers = crd["metadata"].setdefault("finalizers", [])
    if FINALIZER not in finalizers:
        finalizers.append(FINALIZER)
    terminating = {
        "type": "Terminating",
        "status": "True",
        "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will be initiated soon",
    }
    conditions.update(crd.setdefault("status", {}), terminating)


def is_held(crd: Json) -> bool:
    """Whether a CRD is being deleted, and its objects are not gone yet."""
    meta = crd["metadata"]
    return bool(meta.get("deletionTimestamp")) and FINALIZER in (meta.get("finalizers") or ())


def release(crd: Json) -> None:
    """Take the finalizer off: nothing is left of the objects."""
    crd["metadata"]["finalizers"] = [f for f in crd["metadata"].get("finalizers") or () if f != FINALIZER]
