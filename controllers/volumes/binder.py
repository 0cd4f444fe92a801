"""Binds claims to volumes that exist, and follows what becomes of both.

A binding is written in steps, each of which the next look completes: the volume names the claim (`claimRef` with uid),
its phase, the claim names the volume, its phase. Volumes are not made here; a provisioner in the cluster may do that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cluster.cache import Cache, Entry
from cluster.events import Recorder
from cluster.store import Key
from controllers.runtime import Context, Controller, Result, Watch, join_key, split_key
from controllers.volumes.matching import class_of, is_reserved, satisfies, smallest
from controllers.writes import change
from kube.objects import Json

CLAIMS, VOLUMES, CLASSES = "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io"
BIND_COMPLETED, BOUND_BY = "pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY, SELECTED_NODE = "pv.kubernetes.io/provisioned-by", "volume.kubernetes.io/selected-node"
PROVISIONER = "volume.kubernetes.io/storage-provisioner"
NO_PROVISIONER = "kubernetes.io/no-provisioner"


def _claim_keys(entry: Entry, cache: Cache) -> Iterable[str]:
    yield f"claim:{join_key(entry.key.namespace, entry.key.name)}"
    # The volume follows the claim: it is released when that is gone.
    volume = (entry.object().get("spec") or {}).get("volumeName")
    if volume:
        yield f"volume:{volume}"


def _volume_keys(entry: Entry, cache: Cache) -> Iterable[str]:
    yield f"volume:{entry.key.name}"
    reference = (entry.object().get("spec") or {}).get("claimRef")
    if reference:
        yield f"claim:{join_key(reference.get('namespace', ''), reference.get('name', ''))}"
    else:
        for claim in cache.list(CLAIMS):
            if BIND_COMPLETED.encode() not in claim.body:
                yield f"claim:{join_key(*claim.key[1:])}"


class PersistentVolumeController(Controller):
    """Keys: `claim:namespace/name` and `volume:name`."""

    name = "persistentvolume"
    user = "system:serviceaccount:kube-system:persistent-volume-binder"
    watches = (Watch(CLAIMS, _claim_keys), Watch(VOLUMES, _volume_keys))

    def __init__(self) -> None:
        self._recorder = Recorder("persistentvolume-controller")

    def reconcile(self, key: str, ctx: Context) -> Result:
        what, _, name = key.partition(":")
        entry = ctx.cache.get(Key(CLAIMS, *split_key(name)) if what == "claim" else Key(VOLUMES, "", name))
        if entry is None:
            return None
        if what == "claim":
            self._claim(ctx, entry.object())
        else:
            self._volume(ctx, entry.object())
        return None

    def _claim(self, ctx: Context, claim: Json) -> None:
        if BIND_COMPLETED in (claim["metadata"].get("annotations") or {}):
            self._bound_claim(ctx, claim)
        elif claim["spec"].get("volumeName"):
            volume = _get(ctx, VOLUMES, "", claim["spec"]["volumeName"])
            if volume is not None and (is_reserved(volume, claim) or not volume["spec"].get("claimRef")):
                bind(ctx, volume, claim)
            else:
                _set_claim_status(ctx, claim, {"phase": "Pending"})
        else:
            self._search(ctx, claim)

    def _search(self, ctx: Context, claim: Json) -> None:
        """Find a volume for a claim that has none, or say why it waits."""
        volumes = [entry.object() for entry in ctx.cache.list(VOLUMES)]
        usable = [volume for volume in volumes if satisfies(volume, claim)]
        storage_class = _get(ctx, CLASSES, "", class_of(claim)) if class_of(claim) else None
        delayed = (storage_class or {}).get("volumeBindingMode") == "WaitForFirstConsumer"
        if delayed:
            usable = [volume for volume in usable if is_reserved(volume, claim)]
        chosen = smallest(usable, claim)
        if chosen is not None and not claim["metadata"].get("deletionTimestamp"):
            bind(ctx, chosen, claim)
            return
        _set_claim_status(ctx, claim, {"phase": "Pending"})
        name, selected = class_of(claim), SELECTED_NODE in (claim["metadata"].get("annotations") or {})
        provisioner = (storage_class or {}).get("provisioner", "")
        if delayed and not selected:
            report = ("Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding")
        elif storage_class is not None and provisioner != NO_PROVISIONER:
            note = {PROVISIONER: provisioner}
            if not note.items() <= (claim["metadata"].get("annotations") or {}).items():
                _change(ctx, CLAIMS, claim, lambda obj: obj["metadata"].setdefault("annotations", {}).update(note))
            report = (
                "Normal",
                "ExternalProvisioning",
                f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or "
                "manually by the system administrator. If volume creation is delayed, please verify that the "
                "provisioner is running and correctly registered.",
            )
        elif name and storage_class is None:
            report = ("Warning", "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found')
        else:
            report = (
                "Normal",
                "FailedBinding",
                "no persistent volumes available for this claim and no storage class is set",
            )
        self._recorder.event(ctx.session, {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **claim}, *report)

    def _bound_claim(self, ctx: Context, claim: Json) -> None:
        """A claim whose volume is gone or taken is lost; that does not heal by itself."""
        volume = _get(ctx, VOLUMES, "", claim["spec"].get("volumeName") or "")
        if volume is not None and is_reserved(volume, claim):
            _set_claim_status(ctx, claim, bound_status(volume))
        elif volume is not None and not volume["spec"].get("claimRef") and satisfies(volume, claim):
            bind(ctx, volume, claim)
        elif (claim.get("status") or {}).get("phase") != "Lost":
            _set_claim_status(ctx, claim, {"phase": "Lost"})
            message = (
                "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
                if volume is None
                else "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
            )
            self._recorder.event(
                ctx.session,
                {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **claim},
                "Warning",
                "ClaimLost" if volume is None else "ClaimMisbound",
                message,
            )

    def _volume(self, ctx: Context, volume: Json) -> None:
        reference = volume["spec"].get("claimRef") or {}
        if not reference.get("uid"):
            _set_phase(ctx, volume, "Available")
            return
        claim = _get(ctx, CLAIMS, reference.get("namespace", ""), reference.get("name", ""))
        if claim is None or claim["metadata"]["uid"] != reference["uid"]:
            self._release(ctx, volume)
        elif claim["spec"].get("volumeName") == volume["metadata"]["name"]:
            _set_phase(ctx, volume, "Bound")

    def _release(self, ctx: Context, volume: Json) -> None:
        """The claim is gone: keep the volume for an administrator, or leave it to whoever can delete it."""
        _set_phase(ctx, volume, "Released")
        annotations = volume["metadata"].get("annotations") or {}
        if volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete" and PROVISIONED_BY not in annotations:
            message = "error getting deleter volume plugin for volume: no deletable volume plugin matched"
            _set_phase(ctx, volume, "Failed", message)
            self._recorder.event(
                ctx.session,
                {"apiVersion": "v1", "kind": "PersistentVolume", **volume},
                "Warning",
                "VolumeFailedDelete",
                message,
            )


def bind(ctx: Context, volume: Json, claim: Json) -> None:
    """All four writes of a binding; each leaves alone what is right already."""
    meta, name = claim["metadata"], volume["metadata"]["name"]
    full = {
        "kind": "PersistentVolumeClaim",
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
        "apiVersion": "v1",
        "resourceVersion": meta["resourceVersion"],
    }

    def reserve(obj: Json) -> None:
        if (obj["spec"].get("claimRef") or {}).get("uid") != meta["uid"]:
            if not obj["spec"].get("claimRef"):
                obj["metadata"].setdefault("annotations", {})[BOUND_BY] = "yes"
            obj["spec"]["claimRef"] = full

    def point(obj: Json) -> None:
        annotations = obj["metadata"].setdefault("annotations", {})
        annotations[BIND_COMPLETED] = "yes"
        if not obj["spec"].get("volumeName"):
            annotations[BOUND_BY] = "yes"
            obj["spec"]["volumeName"] = name

    if _change(ctx, VOLUMES, volume, reserve) is None:
        return
    _set_phase(ctx, volume, "Bound")
    changed = _change(ctx, CLAIMS, claim, point)
    if changed is not None:
        _set_claim_status(ctx, changed, bound_status(volume))


def bound_status(volume: Json) -> Json:
    """The status of a claim that is bound to `volume`."""
    return {
        "phase": "Bound",
        "accessModes": volume["spec"].get("accessModes") or [],
        "capacity": volume["spec"].get("capacity") or {},
    }


def _get(ctx: Context, storage: str, namespace: str, name: str) -> Json | None:
    entry = ctx.cache.get(Key(storage, namespace, name))
    return entry.object() if entry else None


def _change(
    ctx: Context, storage: str, obj: Json, edit: Callable[[Json], None], subresource: str | None = None
) -> Json | None:
    meta = obj["metadata"]
    return change(ctx, Key(storage, meta.get("namespace", ""), meta["name"]), meta["uid"], edit, subresource)


def _set_phase(ctx: Context, volume: Json, phase: str, message: str = "") -> None:
    status = volume.get("status") or {}
    if status.get("phase") == phase or (phase == "Released" and status.get("phase") == "Failed"):
        return

    def put(obj: Json) -> None:
        obj["status"] = {"phase": phase, **({"message": message} if message else {})}

    _change(ctx, VOLUMES, volume, put, "status")


def _set_claim_status(ctx: Context, claim: Json, status: Json) -> None:
    """Write a claim's status; conditions and the like stay."""
    present = claim.get("status") or {}
    if all(present.get(name) == value for name, value in status.items()):
        return
    _change(ctx, CLAIMS, claim, lambda obj: obj.setdefault("status", {}).update(status), "status")
