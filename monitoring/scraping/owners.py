"""Which workload each pod belongs to, on which node it is, how often its containers were restarted; and the nodes."""

from __future__ import annotations

import asyncio

from client import Client, Reflector, resource_path
from kube import ownerrefs
from kube.objects import Json
from monitoring.objects.wishes import of_node

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet", "ReplicationController")


class Owners:
    """Follows pods, replica sets and nodes."""

    def __init__(self, client: Client) -> None:
        self._pods = Reflector(client, resource_path("v1", "pods"), transform=_pod)
        self._sets = Reflector(client, resource_path("apps/v1", "replicasets"), transform=_owned)
        self._nodes = Reflector(client, resource_path("v1", "nodes"), transform=_node)

    @property
    def synced(self) -> bool:
        return all(one.synced.is_set() for one in (self._pods, self._sets, self._nodes))

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            for one in (self._pods, self._sets, self._nodes):
                group.create_task(one.run())

    def kubelets(self) -> dict[str, str]:
        """Where the pages of the kubelets are, by node: `host:port` or below it; of those nodes that name both."""
        return {name: node["kubelet"] for (_, name), node in sorted(self._nodes.items.items()) if node["kubelet"]}

    def knows(self, namespace: str, pod: str) -> bool:
        return (namespace, pod) in self._pods.items

    def workload(self, namespace: str, pod: str) -> str:
        """`<kind>/<name>` of what made a pod, above its replica set; "" for a pod of nobody."""
        found = self._pods.items.get((namespace, pod))
        kind, name = found["owner"] if found else ("", "")
        if kind == "ReplicaSet":
            above = self._sets.items.get((namespace, name))
            if above is not None and above["owner"][0]:
                kind, name = above["owner"]
        return f"{kind}/{name}" if kind in WORKLOADS else ""

    def restarts(self, namespace: str, pod: str) -> dict[str, int]:
        """How often each container was started again."""
        found = self._pods.items.get((namespace, pod))
        return found["restarts"] if found else {}


def _owned(obj: Json) -> Json:
    """Keeps of an object what a reflector compares, and who controls it: (kind, name)."""
    meta = obj["metadata"]
    kept = {name: meta[name] for name in ("namespace", "name", "uid", "resourceVersion") if name in meta}
    owner = ownerrefs.controller(meta) or {}
    return {"metadata": kept, "owner": (owner.get("kind", ""), owner.get("name", ""))}


def _pod(obj: Json) -> Json:
    statuses = (obj.get("status") or {}).get("containerStatuses") or ()
    return {**_owned(obj), "restarts": {one["name"]: one.get("restartCount", 0) for one in statuses}}


def _node(obj: Json) -> Json:
    return {**_owned(obj), "kubelet": "".join(of_node(obj) or ())}
