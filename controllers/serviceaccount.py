"""The ServiceAccount `default` of every namespace."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.cache import Cache, Entry
from cluster.store import Key
from controllers.runtime import Context, Controller, Result, Watch, own_key
from kube.errors import AlreadyExists, Forbidden, NotFound

NAMES = ("default",)


def namespace_key(entry: Entry, cache: Cache) -> Iterable[str]:
    """Mapper: the namespace that an object is in."""
    yield entry.key.namespace


class ServiceAccountController(Controller):
    """Key: a namespace."""

    name = "serviceaccount"
    user = "system:serviceaccount:kube-system:service-account-controller"
    watches = (
        Watch("namespaces", own_key),
        Watch("serviceaccounts", namespace_key, lambda event: event.type == "DELETED"),
    )

    def reconcile(self, key: str, ctx: Context) -> Result:
        namespace = ctx.cache.get(Key("namespaces", "", key))
        if namespace is None or namespace.meta.deletionTimestamp:
            return None
        for name in NAMES:
            if ctx.cache.get(Key("serviceaccounts", key, name)) is None:
                create(ctx, "serviceaccounts", key, {"metadata": {"name": name, "namespace": key}})
        return None


def create(ctx: Context, storage: str, namespace: str, obj: dict[str, object]) -> None:
    """Create an object of a namespace; somebody was faster, or the namespace goes away: both are fine."""
    try:
        ctx.session.create(storage, namespace, obj)
    except (AlreadyExists, NotFound):
        return
    except Forbidden:
        entry = ctx.cache.get(Key("namespaces", "", namespace))
        if entry is not None and not entry.meta.deletionTimestamp:
            raise
