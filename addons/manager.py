"""The addon manager: keeps the objects of each addon in kube-system as its manifests and its ConfigMap say.

The ConfigMap `addon-<name>` is the one place where an addon is switched (`enabled`) and configured (its options); the
admin page and kubectl both write it. What the manager did, or why it could not, is in the ConfigMap's annotations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from addons.catalogue import ADDON_LABEL, ENSURE_EXISTS, MODE_LABEL, NAMESPACE, Addon, catalogue
from cluster.errors import ApiError, NotFound
from cluster.registry import Kind
from cluster.store import Key
from controllers.runtime import Context, Controller, Result, Watch

if TYPE_CHECKING:
    from cluster.cache import Cache, Entry

ERROR = "addons.binnacle/error"      # why the manifests could not be applied; absent when they were
VERSION = "addons.binnacle/version"  # the version of the addon that was applied
MANAGER = "addon-manager"            # owner of the fields that manifests set
RESYNC = 60.0                        # seconds: what somebody changed by hand is put right after this at the latest


@dataclass(frozen=True, slots=True)
class Wanted:
    """An addon's state as its ConfigMap says."""

    enabled: bool
    values: Mapping[str, str]


def wanted(addon: Addon, config: Mapping[str, Any] | None) -> Wanted:
    """What a ConfigMap asks for; the addon's defaults where it says nothing."""
    data = (config or {}).get("data") or {}
    known = {option.name for option in addon.options}
    enabled = str(data.get("enabled", addon.enabled)).lower() == "true"
    return Wanted(enabled, {name: value for name, value in data.items() if name in known})


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

    name = "addon-manager"
    user = "system:addon-manager"
    watches = tuple(Watch(storage, affected) for storage in (
        "namespaces", "configmaps", "services", "serviceaccounts", "deployments.apps", "daemonsets.apps",
        "clusterroles.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io"))

    def reconcile(self, key: str, ctx: Context) -> Result:
        addon = catalogue()[key]
        config = _config(addon, ctx)
        want = wanted(addon, config)
        try:
            kept = set(apply(addon, want, ctx)) if want.enabled else set()
            prune(addon, kept, ctx)
        except (ApiError, LookupError, ValueError) as error:
            note(addon, config, str(error), ctx)
            raise
        note(addon, config, "", ctx)
        return RESYNC


def _config(addon: Addon, ctx: Context) -> dict[str, Any]:
    """The addon's ConfigMap, made with the defaults when there is none."""
    found = ctx.session.get("configmaps", NAMESPACE, addon.config_name)
    if found is not None:
        return dict(found)
    data = {"enabled": str(addon.enabled).lower(), **{option.name: option.default for option in addon.options}}
    return dict(ctx.session.create("configmaps", NAMESPACE, {
        "apiVersion": "v1", "kind": "ConfigMap", "data": data,
        "metadata": {"name": addon.config_name, "namespace": NAMESPACE}}))


def apply(addon: Addon, want: Wanted, ctx: Context) -> Iterator[Key]:
    """Bring every object of the addon to its manifest; yields their keys."""
    for obj in addon.objects(want.values):
        kind = ctx.session.registry.by_gvk(obj.get("apiVersion", ""), obj.get("kind", ""))
        if kind is None:
            raise LookupError(f"addon {addon.name}: no kind {obj.get('kind')} in {obj.get('apiVersion')}")
        namespace = obj["metadata"].setdefault("namespace", NAMESPACE) if kind.namespaced else ""
        key = Key(kind.storage, namespace, obj["metadata"]["name"])
        _apply_one(kind, key, obj, ctx)
        yield key


def _apply_one(kind: Kind, key: Key, obj: dict[str, Any], ctx: Context) -> None:
    if obj["metadata"]["labels"][MODE_LABEL] == ENSURE_EXISTS and ctx.cache.get(key) is not None:
        return
    # Not a strategic merge patch: that takes two ports of one number, UDP and TCP, for the same; and here what a manifest
    # no longer says goes away.
    ctx.session.patch(kind, key.namespace, key.name, obj, "application/apply-patch+yaml", field_manager=MANAGER, force=True)


def prune(addon: Addon, kept: set[Key], ctx: Context) -> None:
    """Delete the addon's objects that it no longer has: all of them once it is switched off."""
    for storage in ctx.cache.stored():
        for entry in ctx.cache.select(storage, None, lambda labels: labels.get(ADDON_LABEL) == addon.name):
            # Pods and the like carry the label from their template: their owner goes, and they go with it.
            if entry.key not in kept and not entry.owners and not entry.meta.deletionTimestamp:
                try:
                    ctx.session.delete(storage, entry.key.namespace, entry.key.name, {"propagationPolicy": "Background"})
                except NotFound:
                    continue


def note(addon: Addon, config: dict[str, Any], error: str, ctx: Context) -> None:
    """Write down how it went, where the admin page and kubectl show it; nothing is written when nothing changed."""
    have = config["metadata"].get("annotations") or {}
    if (have.get(ERROR, ""), have.get(VERSION)) == (error, addon.version):
        return
    patch = {"metadata": {"annotations": {ERROR: error or None, VERSION: addon.version}}}
    ctx.session.patch("configmaps", NAMESPACE, addon.config_name, orjson.dumps(patch), "application/merge-patch+json")
