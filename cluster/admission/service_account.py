"""ServiceAccount: every pod runs as an account, with its token mounted and its pull secrets.

A mirror pod (the kubelet's picture of a static pod) is left alone: it may have no account.
"""

from __future__ import annotations

import orjson

from cluster.admission.plugin import Plugin
from cluster.admission.request import Request
from kube import names
from kube.objects import Json
from kube.pods import podutil

MIRROR = "kubernetes.io/config.mirror"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 3607  # an hour, and a recognisable bit more
VOLUME = "kube-api-access-"


class ServiceAccount(Plugin):
    storages = frozenset({"pods"})

    def mutate(self, request: Request) -> None:
        pod = request.obj
        if MIRROR in (pod["metadata"].get("annotations") or {}):
            if pod["spec"].get("serviceAccountName"):
                raise request.forbid("a mirror pod may not reference service accounts")
            return
        spec = pod["spec"]
        name = spec.get("serviceAccountName") or "default"
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        entry = request.find("serviceaccounts", name, request.namespace)
        if entry is None:
            raise request.forbid(
                f'error looking up service account {request.namespace}/{name}: serviceaccount "{name}" not found'
            )
        account = entry.shared()
        wanted = spec.get("automountServiceAccountToken")
        if account.get("automountServiceAccountToken", True) if wanted is None else wanted:
            mount_token(spec)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(secret) for secret in account["imagePullSecrets"]]


def mount_token(spec: Json) -> None:
    """Mount a token, the cluster's authority and the namespace into every container that has nothing there yet."""
    containers = [
        c
        for c in podutil.all_containers(spec, ephemeral=False)
        if not any(m.get("mountPath") == MOUNT_PATH for m in c.get("volumeMounts") or ())
    ]
    if not containers:
        return
    # A pod that has a token's volume already has containers that a webhook put in share it.
    name = next(
        (
            volume["name"]
            for volume in spec.get("volumes") or ()
            if volume.get("name", "").startswith(VOLUME) and volume.get("projected")
        ),
        None,
    )
    if name is None:
        # A name made of the spec: replicas stay alike to the byte, which later steps make use of (`kube.memo`).
        name = names.derived(VOLUME, orjson.dumps(spec))
        spec["volumes"] = [*(spec.get("volumes") or ()), token_volume(name)]
    for container in containers:
        mount = {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]


def token_volume(name: str) -> Json:
    """The projected volume that `mount_token` mounts."""
    return {
        "name": name,
        "projected": {
            "defaultMode": 0o644,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {
                    "downwardAPI": {
                        "items": [
                            {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
                        ]
                    }
                },
            ],
        },
    }
