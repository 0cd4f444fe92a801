"""The ConfigMap `kube-root-ca.crt` of every namespace: the certificate by which pods know the API server."""

from __future__ import annotations

from cluster.store import Key
from controllers import pki
from controllers.runtime import Context, Controller, Result, Watch, namespace_key, own_key
from controllers.writes import create

NAME = "kube-root-ca.crt"
DESCRIPTION = (
    "kubernetes.io/description",
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such "
    "as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across "
    "distributions of Kubernetes clusters.",
)


class RootCAController(Controller):
    """Key: a namespace."""

    name = "rootca"
    user = "system:serviceaccount:kube-system:root-ca-cert-publisher"
    watches = (Watch("namespaces", own_key), Watch("configmaps", namespace_key, lambda event: event.key.name == NAME))

    def reconcile(self, key: str, ctx: Context) -> Result:
        namespace = ctx.cache.get(Key("namespaces", "", key))
        if namespace is None or namespace.meta.deletionTimestamp:
            return None
        data = {"ca.crt": pki.authority()}
        present = ctx.cache.get(Key("configmaps", key, NAME))
        if present is None:
            meta = {"name": NAME, "annotations": dict([DESCRIPTION])}
            create(ctx, "configmaps", key, {"metadata": meta, "data": data})
        elif present.object().get("data") != data:
            ctx.session.mutate("configmaps", key, NAME, lambda obj: obj.update(data=data))
        return None
