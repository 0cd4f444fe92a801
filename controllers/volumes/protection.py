"""A claim stays while a pod uses it, a volume while it is bound: their finalizers are lifted here."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.cache import Entry
from cluster.store import Key
from controllers import pods
from controllers.runtime import Context, Controller, Result, Watch, going, is_going, join_key, own_key, split_key
from controllers.writes import lift_finalizer

CLAIM_FINALIZER, VOLUME_FINALIZER = "kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"


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
