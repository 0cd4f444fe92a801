"""The Node object of this machine: registered at the start, its status kept fresh."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import time

from client import ApiStatusError, Backoff, Client, resource_path
from client.api import MERGE_PATCH
from client.events import Recorder
from kube import clock
from kube.objects import Json
from kubelet.machine import Machine
from kubelet.options import Options
from kubelet.runtimes.base import Runtime

log = logging.getLogger("kubelet.node")
VERSION = "v1.36.3"
RUNTIME_LABEL = "node.binnacle/runtime"  # what runs the containers: simulated nodes, which run none, do not have it
PERIOD, REPORT = 10.0, 300.0
HEALTHY = {
    "MemoryPressure": ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    "Ready": ("True", "KubeletReady", "kubelet is posting ready status"),
}
DISK_FREE = 0.05


class NodeManager:
    """`obj` is the node as the API last gave it."""

    def __init__(
        self, client: Client, options: Options, machine: Machine, runtime: Runtime, recorder: Recorder
    ) -> None:
        self._client, self._options, self._machine = client, options, machine
        self._runtime, self._recorder = runtime, recorder
        self._path = resource_path("v1", "nodes", "", options.node_name)
        self._reported = 0.0
        self.obj: Json = {}

    async def register(self) -> None:
        """Creates the node, or takes up the one of that name; retried until the API answers."""
        backoff = Backoff(first=0.2, longest=2.0)
        while True:
            try:
                self.obj = await self._create_or_get()
                await self._write_status()
                break
            except (ApiStatusError, OSError) as error:
                log.warning("node %s not registered yet: %s", self._options.node_name, error)
                await asyncio.sleep(backoff.delay())
        # Events on nodes carry the name as uid, as kubectl describe looks for them.
        name = self._options.node_name
        reference = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "uid": name}}
        self._recorder.event(reference, "Normal", "Starting", "Starting kubelet.")

    async def _create_or_get(self) -> Json:
        try:
            metadata = {"name": self._options.node_name, "labels": self._labels()}
            new = {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {}, "status": self.status()}
            return await self._client.create(resource_path("v1", "nodes"), new)
        except ApiStatusError as error:
            if not error.conflict:
                raise
        node = await self._client.get(self._path)
        missing = {k: v for k, v in self._labels().items() if (node["metadata"].get("labels") or {}).get(k) != v}
        if missing:
            node = await self._client.patch(self._path, {"metadata": {"labels": missing}}, MERGE_PATCH)
        return node

    def _labels(self) -> dict[str, str]:
        own = {
            "kubernetes.io/hostname": self._options.node_name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": self._machine.architecture,
            "beta.kubernetes.io/os": "linux",
            "beta.kubernetes.io/arch": self._machine.architecture,
            RUNTIME_LABEL: self._runtime.name,
        }
        return {**own, **self._options.labels()}

    # -- status -------------------------------------------------------------------------------------------------------

    def status(self) -> Json:
        machine, options = self._machine, self._options
        capacity = {
            "cpu": str(machine.cpus),
            "memory": f"{machine.memory // 1024}Ki",
            "pods": str(options.max_pods),
            "ephemeral-storage": f"{machine.disk // 1024}Ki",
            "hugepages-2Mi": "0",
        }
        return {
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": self._conditions(),
            "addresses": [
                {"type": "InternalIP", "address": options.address},
                {"type": "Hostname", "address": options.node_name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": options.port}},
            "nodeInfo": {
                "machineID": machine.machine_id,
                "systemUUID": machine.machine_id,
                "bootID": machine.boot_id,
                "kernelVersion": machine.kernel,
                "osImage": machine.os_image,
                "containerRuntimeVersion": f"{self._runtime.name}://{self._runtime.version}",
                "kubeletVersion": VERSION,
                "kubeProxyVersion": "",
                "operatingSystem": platform.system().lower(),
                "architecture": machine.architecture,
            },
        }

    def _conditions(self) -> list[Json]:
        now = clock.now()
        old = {c["type"]: c for c in (self.obj.get("status") or {}).get("conditions") or ()}
        values = dict(HEALTHY)
        if self.disk_pressure:
            values["DiskPressure"] = ("True", "KubeletHasDiskPressure", "kubelet has disk pressure")
        result = []
        for kind, (status, reason, message) in values.items():
            same = old.get(kind, {}).get("status") == status
            result.append(
                {
                    "type": kind,
                    "status": status,
                    "reason": reason,
                    "message": message,
                    "lastHeartbeatTime": now,
                    "lastTransitionTime": old[kind]["lastTransitionTime"] if same else now,
                }
            )
        return result + [c for kind, c in old.items() if kind not in values]

    @property
    def disk_pressure(self) -> bool:
        disk = os.statvfs(self._options.root_dir)
        return disk.f_bavail < disk.f_blocks * DISK_FREE

    async def _write_status(self) -> None:
        self.obj = await self._client.patch(self._path + "/status", {"status": self.status()}, MERGE_PATCH)
        self._reported = time.monotonic()

    async def run(self) -> None:
        """Reports every 10 s what changed, and every 5 min in any case."""
        while True:
            await asyncio.sleep(PERIOD)
            try:
                self.obj = await self._client.get(self._path)
                wanted, have = self.status(), self.obj.get("status") or {}
                due = time.monotonic() - self._reported > REPORT
                if due or _comparable(wanted) != _comparable({key: have.get(key) for key in wanted}):
                    await self._write_status()
            except ApiStatusError as error:
                if error.not_found:
                    await self.register()  # someone deleted the node: this machine is still here
                else:
                    log.warning("node status not written: %s", error)
            except OSError as error:
                log.warning("node status not written: %s", error)


def _comparable(status: Json) -> Json:
    conditions = [(c["type"], c["status"], c.get("reason")) for c in status.get("conditions") or ()]
    return {**status, "conditions": conditions}
