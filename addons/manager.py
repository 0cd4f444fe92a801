"""The addon manager: keeps the objects of each addon in kube-system as its manifests and its ConfigMap say.

The ConfigMap `addon-<name>` is the one place where an addon is switched (`enabled`) and configured (its options); the
admin page and kubectl both write it. A turn of the manager:

1. Data that it has not seen are written into the audit trail and checked. What is invalid is refused, and the last good
   configuration stays in force; anything else is a rollout. Both are noted in the annotations before anything is done.
2. The objects are applied with the configuration that is being rolled out, else with the one in force.
3. A rollout ends when the workloads are healthy, which puts its configuration in force; or when its deadline has passed or
   its objects are refused: then the configuration in force is written back into the data, and applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from addons import audit, health, rollout
from addons.catalogue import ADDON_LABEL, ENSURE_EXISTS, MODE_LABEL, NAMESPACE, Addon, catalogue
from addons.ledger import MANAGER, Ledger
from addons.state import Rollout, State
from cluster.store import Key
from controllers.runtime import Context, Controller, Result, Watch
from kube.errors import ApiError, NotFound

if TYPE_CHECKING:
    from cluster.cache import Cache, Entry

RESYNC = 60.0  # seconds: what somebody changed by hand is put right after this at the latest
WATCHFUL = 10.0  # the same while something is wrong
POLL = 1.0  # seconds between looks at a rollout
REAPPLY = 5.0  # seconds in which further looks at a rollout do not apply again


def affected(entry: Entry, cache: Cache) -> Iterable[str]:
    """Mapper: the addon of an object, by its label or by the name of its ConfigMap."""
    name = entry.labels.get(ADDON_LABEL)
    if name is None and entry.key.storage == "configmaps" and entry.key.name.startswith("addon-"):
        name = entry.key.name.removeprefix("addon-")
    # The namespace appears when the cluster is first started: nothing else would wake the manager then.
    if entry.key == Key("namespaces", "", NAMESPACE):
        return catalogue()
    return [name] if name in catalogue() else []


class AddonManager(Controller):
    """Reconciles one addon per key."""

    name = MANAGER
    user = "system:addon-manager"
    watches = tuple(
        Watch(storage, affected)
        for storage in (
            "namespaces",
            "configmaps",
            "services",
            "serviceaccounts",
            "deployments.apps",
            "daemonsets.apps",
            "statefulsets.apps",
            "clusterroles.rbac.authorization.k8s.io",
            "clusterrolebindings.rbac.authorization.k8s.io",
        )
    )

    def __init__(self) -> None:
        self._applied: dict[str, tuple[Mapping[str, str], float]] = {}  # values, and when
        self._met: dict[str, tuple[Rollout, float]] = {}  # the rollout, and when this process first saw it

    def reconcile(self, key: str, ctx: Context) -> Result:
        addon = catalogue()[key]
        ledger = Ledger(addon, ctx)
        ledger.notice()
        failure = self._bring_about(addon, ledger.state, ctx)
        fit = health.of(addon.name, ctx.cache)
        if ledger.state.rollout is None:
            ledger.save(rollout.standing(ledger.state, fit, failure))
            if failure:
                raise failure
            return WATCHFUL if ledger.state.health else RESYNC
        # Since when this process knows of the rollout: one that was away must see for itself before it gives up.
        known, met = self._met.get(addon.name, (None, ctx.now()))
        if known is None or known.revision != ledger.state.rollout.revision:
            met = ctx.now()
        self._met[addon.name] = (ledger.state.rollout, met)
        verdict = rollout.judge(
            ledger.state,
            fit,
            failure,
            health.nodes_ready_since(fit, ctx.cache),
            ctx.now(),
            met,
        )
        ledger.conclude(verdict)
        if verdict.outcome == audit.ROLLED_BACK:
            return self.reconcile(key, ctx)
        if failure and ledger.state.in_force is None:
            raise failure
        return {None: POLL, audit.UNHEALTHY: WATCHFUL}.get(verdict.outcome, RESYNC)

    def _bring_about(self, addon: Addon, known: State, ctx: Context) -> Exception | None:
        """Apply the configuration; what went wrong is returned. A look at a rollout shortly after another does nothing."""
        values, at = self._applied.get(addon.name, ({}, 0.0))
        if known.rollout and values == known.values and 0 <= ctx.now() - at < REAPPLY:
            return None
        self._applied.pop(addon.name, None)
        try:
            kept = set(apply(addon, known.values, ctx)) if known.enabled else set()
            prune(addon, kept, ctx)
        except (ApiError, LookupError, ValueError) as error:
            return error
        self._applied[addon.name] = (known.values, ctx.now())
        return None


def apply(addon: Addon, values: Mapping[str, str], ctx: Context) -> Iterator[Key]:
    """Bring every object of the addon to its manifest; yields their keys."""
    for obj in addon.objects(values):
        kind = ctx.session.registry.by_gvk(obj.get("apiVersion", ""), obj.get("kind", ""))
        if kind is None:
            raise LookupError(f"addon {addon.name}: no kind {obj.get('kind')} in {obj.get('apiVersion')}")
        namespace = obj["metadata"].setdefault("namespace", NAMESPACE) if kind.namespaced else ""
        key = Key(kind.storage, namespace, obj["metadata"]["name"])
        if obj["metadata"]["labels"][MODE_LABEL] != ENSURE_EXISTS or ctx.cache.get(key) is None:
            # Not a strategic merge patch: that takes two ports of one number, UDP and TCP, for the same; and here what a
            # manifest no longer says goes away.
            ctx.session.patch(
                kind, key.namespace, key.name, obj, "application/apply-patch+yaml", field_manager=MANAGER, force=True
            )
        yield key


def prune(addon: Addon, kept: set[Key], ctx: Context) -> None:
    """Delete the addon's objects that it no longer has: all of them once it is switched off."""
    for storage in ctx.cache.stored():
        for entry in ctx.cache.select(storage, None, lambda labels: labels.get(ADDON_LABEL) == addon.name):
            # Pods and the like carry the label from their template: their owner goes, and they go with it.
            if entry.key not in kept and not entry.owners and not entry.meta.deletionTimestamp:
                try:
                    ctx.session.delete(
                        storage, entry.key.namespace, entry.key.name, {"propagationPolicy": "Background"}
                    )
                except NotFound:
                    continue
