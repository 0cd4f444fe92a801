"""The status of ResourceQuotas: what the objects of the namespace use of what is limited.

Admission counts up when it lets something in; this controller counts anew when something went or a quota changed, and
now and then, because objects change what they use without passing a quota.
"""

from __future__ import annotations

from collections.abc import Iterable

from cluster.admission import quota_usage
from cluster.cache import Cache, Event
from cluster.store import Key
from controllers import pods
from controllers.runtime import Context, Controller, Result, Watch, keys_of, own_key, split_key
from controllers.writes import put_status
from kube import quantity
from kube.objects import Json
from kube.quantity import Quantity
from kube.registry import of_cluster

STORAGE = "resourcequotas"
PLAIN = frozenset(
    {"configmaps", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "secrets", "services"}
)
RECOUNT_SECONDS = 300.0


def _matters(event: Event) -> bool:
    """Objects that come and go, pods that finish, services and claims that change."""
    storage = event.key.storage
    if not event.key.namespace or storage in (STORAGE, "events", "leases.coordination.k8s.io"):
        return False
    if event.type != "MODIFIED" or event.previous is None or storage in ("services", "persistentvolumeclaims"):
        return True
    return storage == "pods" and pods.view(event.previous).finished != pods.view(event.entry).finished


class ResourceQuotaController(Controller):
    """Key: a quota."""

    name = "resourcequota"
    user = "system:serviceaccount:kube-system:resourcequota-controller"
    watches = (Watch(STORAGE, own_key), Watch("*", keys_of(STORAGE), _matters))

    def reconcile(self, key: str, ctx: Context) -> Result:
        namespace, name = split_key(key)
        entry = ctx.cache.get(Key(STORAGE, namespace, name))
        if entry is None or entry.meta.deletionTimestamp:
            return None
        obj = entry.object()
        hard = (obj.get("spec") or {}).get("hard") or {}
        status = {"hard": hard, "used": used(ctx.cache, namespace, obj.get("spec") or {})} if hard else {}
        if _amounts(status) != _amounts(obj.get("status") or {}):
            put_status(ctx, STORAGE, obj, status)
        return RECOUNT_SECONDS


def _amounts(status: Json) -> Json:
    """A status with amounts in place of their notation."""
    return {
        part: {name: quantity.parse(v).nano for name, v in (status.get(part) or {}).items()}
        for part in ("hard", "used")
    }


def used(cache: Cache, namespace: str, spec: Json) -> dict[str, str]:
    """What is used of each resource that the quota limits."""
    hard = spec.get("hard") or {}
    total = dict.fromkeys(hard, Quantity(0))
    for storage in storages(hard):
        kind = of_cluster(cache.store.cluster).by_storage(storage)
        for entry in cache.list(storage, namespace) if kind else ():
            obj = entry.object()
            if kind and quota_usage.matches_scopes(spec, storage, obj):
                for name, amount in quota_usage.usage(kind, obj).items():
                    if name in total:
                        total[name] = total[name] + amount
    return {name: str(amount) for name, amount in total.items()}


def storages(names: Iterable[str]) -> set[str]:
    """The storages whose objects count against quotas of these names."""
    found = set()
    for name in names:
        if name.startswith("count/"):
            found.add(name[len("count/") :])
        elif name in PLAIN:
            found.add(name)
        elif name.startswith("services."):
            found.add("services")
        elif name == "requests.storage" or ".storageclass.storage.k8s.io/" in name:
            found.add("persistentvolumeclaims")
        else:
            found.add("pods")
    return found
