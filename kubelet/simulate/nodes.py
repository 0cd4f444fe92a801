"""Simulated nodes: made or adopted, and kept alive by leases."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from ipaddress import IPv4Address

import orjson

from client import ApiStatusError, Client, Reflector, resource_path
from client.api import MERGE_PATCH
from client.paths import RESOURCE_METRICS_PATH, kubelet_port
from kube import clock, conditions
from kube.objects import Json
from kubelet import lease
from kubelet.node import HEALTHY, VERSION
from kubelet.simulate.pipe import Pipe, Request
from kubelet.simulate.server import NODES, Server

log = logging.getLogger("kubelet.simulate")
FIRST_ADDRESS = int(IPv4Address("10.64.0.1"))
CAPACITY = {"cpu": "8", "memory": "16Gi", "pods": "110"}
ZONES = 3
PARALLEL = 32
RENEW_EVERY = 15.0


def node(name: str, index: int, label: str) -> Json:
    """The object as it is registered; `label` is `key=value`, put on all."""
    key, _, value = label.partition("=")
    info = {
        **dict.fromkeys(("bootID", "machineID", "systemUUID"), ""),
        "architecture": "amd64",
        "containerRuntimeVersion": "sim://1",
        "kernelVersion": "6.1.0-sim",
        "kubeProxyVersion": VERSION,
        "kubeletVersion": VERSION,
        "operatingSystem": "linux",
        "osImage": "Simulated Linux",
    }
    labels = {
        key: value,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/zone": f"zone-{index % ZONES}",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"capacity": CAPACITY, "allocatable": CAPACITY, "nodeInfo": info},
    }


def healthy(obj: Json, address: str, port: int = 0) -> Json | None:
    """The status patch that makes a node Ready at `address`, its kubelet at `port`; None when it is already.

    With a port it says below which path of that the pages of this node are.
    """
    status, name = obj.get("status") or {}, obj["metadata"]["name"]
    path = f"{NODES}/{name}/metrics/resource"
    said = not port or (obj["metadata"].get("annotations") or {}).get(RESOURCE_METRICS_PATH) == path
    ready, before = conditions.is_true(status, "Ready"), kubelet_port(obj)
    if ready and said and _address(obj) == address and before == port:
        return None
    now = clock.now()
    healthy = [
        {
            "type": kind,
            "status": value,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        for kind, (value, reason, message) in HEALTHY.items()
    ]
    others = [c for c in status.get("conditions") or () if c["type"] not in HEALTHY]
    addresses = [
        {"type": "InternalIP", "address": address},
        {"type": "Hostname", "address": name},
    ]
    patch: Json = {"status": {"conditions": healthy + others, "addresses": addresses}}
    if port or before:
        patch["status"]["daemonEndpoints"] = {"kubeletEndpoint": {"Port": port}}
    if port:
        patch["metadata"] = {"annotations": {RESOURCE_METRICS_PATH: path}}
    return patch


def _address(obj: Json) -> str:
    addresses = (obj.get("status") or {}).get("addresses") or ()
    return next((a["address"] for a in addresses if a["type"] == "InternalIP"), "")


class Nodes:
    """Every node with the label is ours: `hosts` maps its name to its address.  `adopted(names)` tells of new ones.

    Once they are served (see `serve`) the nodes have kubelets that can be asked for figures, else they have none.
    """

    def __init__(self, client: Client, pipe: Pipe, label: str, adopted: Callable[[list[str]], None]) -> None:
        self._client, self._pipe, self._label, self._adopted = client, pipe, label, adopted
        self.hosts: dict[str, str] = {}
        self._server: Server | None = None
        self._place = "", 0
        self._count = 0
        self._leased: set[str] = set()
        self._mine = Reflector(
            client,
            resource_path("v1", "nodes"),
            {"labelSelector": label},
            on_add=self._take,
            on_update=lambda old, new: self._take(new),
            on_delete=self._drop,
            transform=lambda obj: {"metadata": obj["metadata"], "status": obj.get("status") or {}},
        )

    def serve(self, server: Server, address: str, port: int) -> None:
        """Before the first node is known."""
        self._server, self._place = server, (address, port)

    def since(self, name: str) -> float | None:
        """When a node was registered, epoch seconds; None for one that is not ours."""
        known = self._mine.items.get(("", name))
        return clock.parse(known["metadata"]["creationTimestamp"]) if known else None

    async def create(self, count: int, prefix: str) -> None:
        """Makes `count` nodes, `<prefix>0` and so on; those that exist are left as they are."""
        gate = asyncio.Semaphore(PARALLEL)

        async def one(index: int) -> None:
            async with gate:
                try:
                    await self._client.create(
                        resource_path("v1", "nodes"), node(f"{prefix}{index}", index, self._label)
                    )
                except ApiStatusError as error:
                    if not error.conflict:
                        raise

        await asyncio.gather(*(one(index) for index in range(count)))

    async def run(self) -> None:
        await self._mine.run()

    def _take(self, obj: Json) -> None:
        name = obj["metadata"]["name"]
        address, port = self._place
        if name not in self.hosts:
            self.hosts[name] = address or _address(obj) or str(IPv4Address(FIRST_ADDRESS + self._count))
            self._count += 1
            self._adopted([name])
        patch = healthy(obj, self.hosts[name], port)
        if patch is not None:
            path = resource_path("v1", "nodes", "", name, "status")
            self._pipe.send(Request("PATCH", path, orjson.dumps(patch), MERGE_PATCH))

    def _drop(self, obj: Json) -> None:
        self.hosts.pop(obj["metadata"]["name"], None)
        self._leased.discard(obj["metadata"]["name"])
        if self._server:
            self._server.drop(obj["metadata"]["name"])

    async def heartbeat(self) -> None:
        """Renews all leases every 15 s (they last 40), spread over the period; a node's first renewal makes its lease."""
        while True:
            names = list(self.hosts)
            if not names:
                await asyncio.sleep(0.2)
            for name in names:
                await self._renew(name)
                await asyncio.sleep(RENEW_EVERY / len(names))

    async def _renew(self, name: str) -> None:
        known = self._mine.items.get(("", name))
        if known is None:
            return
        if name in self._leased:
            path = resource_path(lease.GROUP, "leases", lease.NAMESPACE, name)
            spec = {"holderIdentity": name, "leaseDurationSeconds": lease.SECONDS, "renewTime": clock.now_micro()}

            def done(code: int) -> None:
                if code == 404:
                    self._leased.discard(name)

            self._pipe.send(Request("PATCH", path, orjson.dumps({"spec": spec}), MERGE_PATCH, done))
            return
        try:
            await lease.renew(self._client, name, known["metadata"]["uid"])
            self._leased.add(name)
        except (ApiStatusError, OSError) as error:
            log.warning("lease of %s not made: %s", name, error)
