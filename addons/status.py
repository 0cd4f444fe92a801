"""How the addons are: what each is asked to be, what the manager says, and how its workloads do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache as once
from typing import Any

import orjson

from addons.catalogue import ADDON_LABEL, NAMESPACE, Addon, catalogue
from addons.manager import ERROR, VERSION, wanted
from cluster.cache import Cache, Entry
from cluster.store import Key, Store
from cluster.users import User
from cluster.verbs import Session

WORKLOADS = ("deployments.apps", "daemonsets.apps", "statefulsets.apps")


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload of an addon: how many of its pods are ready."""

    kind: str
    name: str
    ready: int
    desired: int


@dataclass(frozen=True, slots=True)
class AddonStatus:
    """What the admin page shows of one addon."""

    addon: Addon
    enabled: bool
    applied: str
    error: str
    workloads: list[Workload]

    @property
    def state(self) -> str:
        if self.error:
            return "failed"
        if not self.enabled:
            return "off"
        return "healthy" if all(w.ready >= w.desired for w in self.workloads) else "starting"


@once
def _cache() -> Cache:
    made = Cache(Store.of(1), ("configmaps", *WORKLOADS))
    made.refresh()
    return made


def all_addons() -> list[AddonStatus]:
    """The status of each addon, as of now."""
    cache = _cache()
    cache.refresh()
    return [_status(addon, cache) for addon in catalogue().values()]


def _status(addon: Addon, cache: Cache) -> AddonStatus:
    entry = cache.get(Key("configmaps", NAMESPACE, addon.config_name))
    config = entry.object() if entry else {"metadata": {}}
    annotations = config["metadata"].get("annotations") or {}
    found = [workload(e) for storage in WORKLOADS
             for e in cache.select(storage, NAMESPACE, lambda labels: labels.get(ADDON_LABEL) == addon.name)]
    return AddonStatus(addon, wanted(addon, config).enabled, annotations.get(VERSION, ""), annotations.get(ERROR, ""),
                       found)


def workload(entry: Entry) -> Workload:
    """Ready and desired pods of a workload."""
    obj: dict[str, Any] = entry.object()
    status = obj.get("status") or {}
    desired = status.get("desiredNumberScheduled", (obj.get("spec") or {}).get("replicas", 0))
    return Workload(obj["kind"], entry.key.name, status.get("readyReplicas", status.get("numberReady", 0)), desired)


def switch(addon: Addon, enabled: bool, user: str) -> None:
    """Ask for an addon to be on or off; the addon manager does the rest."""
    session = Session(1, User(f"addon-admin:{user}", groups=("system:authenticated",)), _cache(), Store.of(1))
    data = {"data": {"enabled": str(enabled).lower()}}
    session.patch("configmaps", NAMESPACE, addon.config_name, orjson.dumps(data), "application/merge-patch+json")
