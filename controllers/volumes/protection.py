"""A claim stays while a pod uses it, a volume while it is bound, a class of attributes while claims or volumes name it:
their finalizers are lifted here."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.cache import Cache, Entry
from cluster.store import Key
from controllers import pods
from controllers.runtime import Context, Controller, Result, Watch, going, is_going, join_key, own_key, split_key
from controllers.writes import lift_finalizer

CLAIM_FINALIZER, VOLUME_FINALIZER = "kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"
CLASSES, CLASS_FINALIZER = "volumeattributesclasses.storage.k8s.io", "kubernetes.io/vac-protection"


def claims_of(entry: Entry) -> Iterable[str]:
    """Names of the claims that a pod uses."""
    if b'"persistentVolumeClaim"' not in entry.body and b'"ephemeral"' not in entry.body:
        return
    for volume in (entry.object().get("spec") or {}).get("volumes") or []:
        if volume.get("persistentVolumeClaim"):
            yield volume["persistentVolumeClaim"]["claimName"]
        elif volume.get("ephemeral"):
            yield f"{entry.key.name}-{volume['name']}"


class ClaimProtectionController(Controller):
    """Key: a claim."""

    name = "pvcprotection"
    user = "system:serviceaccount:kube-system:pvc-protection-controller"
    watches = (
        Watch("persistentvolumeclaims", own_key, is_going),
        Watch(
            "pods",
            lambda entry, cache: (join_key(entry.key.namespace, name) for name in claims_of(entry)),
            lambda event: event.type == "DELETED" or pods.view(event.entry).finished,
        ),
    )

    def reconcile(self, key: str, ctx: Context) -> Result:
        namespace, name = split_key(key)
        entry = going(ctx, Key("persistentvolumeclaims", namespace, name))
        if entry is None:
            return None
        # A pod uses its claims from when it is on a node until it has finished.
        users = (e for e in ctx.cache.list("pods", namespace) if e.node and not pods.view(e).finished)
        if not any(name in claims_of(user) for user in users):
            lift_finalizer(ctx, entry, CLAIM_FINALIZER)
        return None


class VolumeProtectionController(Controller):
    """Key: a volume."""

    name = "pvprotection"
    user = "system:serviceaccount:kube-system:pv-protection-controller"
    watches = (Watch("persistentvolumes", own_key, is_going),)

    def reconcile(self, key: str, ctx: Context) -> Result:
        entry = going(ctx, Key("persistentvolumes", "", key))
        if entry is not None and (entry.object().get("status") or {}).get("phase") != "Bound":
            lift_finalizer(ctx, entry, VOLUME_FINALIZER)
        return None


def classes_of(entry: Entry, cache: Cache) -> Iterable[str]:
    """Mapper: the classes of attributes that a volume names, or a claim: now, soon, or while it is being modified."""
    if b"ttributesClassName" not in entry.body:
        return ()
    obj = entry.object()
    status = obj.get("status") or {}
    names = (
        (obj.get("spec") or {}).get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName"),
    )
    return {name for name in names if name}


class AttributesClassProtectionController(Controller):
    """Key: a class of volume attributes."""

    name = "vacprotection"
    user = "system:serviceaccount:kube-system:volumeattributesclass-protection-controller"
    watches = (
        Watch(CLASSES, own_key, is_going),
        Watch("persistentvolumeclaims", classes_of),
        Watch("persistentvolumes", classes_of),
    )

    def reconcile(self, key: str, ctx: Context) -> Result:
        entry = going(ctx, Key(CLASSES, "", key))
        if entry is None:
            return None
        users = (e for storage in ("persistentvolumeclaims", "persistentvolumes") for e in ctx.cache.list(storage))
        if not any(key in classes_of(user, ctx.cache) for user in users):
            lift_finalizer(ctx, entry, CLASS_FINALIZER)
        return None
