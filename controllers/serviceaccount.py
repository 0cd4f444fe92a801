"""The ServiceAccount `default` of every namespace."""

from __future__ import annotations

from cluster.store import Key
from controllers.runtime import Context, Controller, Result, Watch, namespace_key, own_key
from controllers.writes import create

NAMES = ("default",)


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
