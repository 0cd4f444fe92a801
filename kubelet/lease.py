"""The heartbeat: a Lease in kube-node-lease, renewed every 10 s."""

from __future__ import annotations

import asyncio
import logging

from client import ApiStatusError, Client, resource_path
from client.api import MERGE_PATCH
from kube import clock
from kube.objects import Json

log = logging.getLogger("kubelet.lease")
NAMESPACE, SECONDS, PERIOD = "kube-node-lease", 40, 10.0
GROUP = "coordination.k8s.io/v1"


def lease(node: str, uid: str) -> Json:
    """The object as it is created; the node owns it, so that it goes with the node."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": uid}
    return {
        "apiVersion": GROUP,
        "kind": "Lease",
        "metadata": {"name": node, "namespace": NAMESPACE, "ownerReferences": [owner]},
        "spec": {"holderIdentity": node, "leaseDurationSeconds": SECONDS, "renewTime": clock.now_micro()},
    }


async def renew(client: Client, node: str, uid: str) -> None:
    """Renews the lease, made anew if it is gone."""
    path = resource_path(GROUP, "leases", NAMESPACE, node)
    spec = {"holderIdentity": node, "leaseDurationSeconds": SECONDS, "renewTime": clock.now_micro()}
    try:
        await client.patch(path, {"spec": spec}, MERGE_PATCH)
    except ApiStatusError as error:
        if not error.not_found:
            raise
        await client.create(resource_path(GROUP, "leases", NAMESPACE), lease(node, uid))


async def run(client: Client, node: str, uid: str) -> None:
    while True:
        delay = PERIOD
        try:
            await renew(client, node, uid)
        except (ApiStatusError, OSError) as error:
            log.warning("lease of %s not renewed: %s", node, error)
            delay = 1.0  # the control plane waits 40 s only
        await asyncio.sleep(delay)
