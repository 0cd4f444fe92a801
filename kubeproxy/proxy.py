"""The loop: watches Services, EndpointSlices and host ports, and brings the backends in step, at most 20 times a second."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from client.api import Client
from client.events import Recorder
from client.reflector import Reflector
from kube.objects import Json
from kubeproxy import metrics
from kubeproxy.hostports import host_ports, keep
from kubeproxy.rules import ServicePort, service_ports

log = logging.getLogger("kubeproxy")

SETTLE = 0.05  # seconds: changes that come together are applied together
RETRY = 5.0  # seconds after a backend failed
RESYNC = 60.0  # seconds after which addresses that could not be listened on are tried again


class Backend(Protocol):
    """Forwards service ports."""

    async def sync(self, ports: Sequence[ServicePort]) -> None: ...

    def complaints(self) -> Sequence[tuple[ServicePort, str]]: ...

    async def close(self) -> None: ...


class Proxy:
    """Ties the API to the backends."""

    def __init__(self, client: Client, node: str, backends: Sequence[Backend]) -> None:
        self.node, self.backends = node, backends
        self._recorder = Recorder(client, "kube-proxy", node)
        self._changed = asyncio.Event()
        self._programming = metrics.Programming()
        self._services = Reflector(client, "/api/v1/services", **self._noting(self._service_changed))
        self._slices = Reflector(
            client,
            "/apis/discovery.k8s.io/v1/endpointslices",
            **{**self._noting(self._slice_changed), "on_delete": self._slice_gone},
        )
        self._pods = Reflector(
            client,
            "/api/v1/pods",
            {"fieldSelector": f"spec.nodeName={node}"},
            transform=keep,
            **{**self._noting(self._pod_changed), "on_delete": lambda last: self._note()},
        )

    def _noting(self, note: Callable[..., None]) -> dict[str, Any]:
        return {"on_add": note, "on_update": note, "on_delete": note, "on_sync": self._changed.set}

    def _service_changed(self, *states: Json) -> None:
        metrics.SERVICES.add()
        self._note()

    def _slice_gone(self, last: Json) -> None:
        metrics.ENDPOINTS.add()
        self._note()

    def _slice_changed(self, *states: Json) -> None:
        metrics.ENDPOINTS.add()
        self._programming.changed(states[0] if len(states) > 1 else None, states[-1])
        self._note()

    def _pod_changed(self, *states: Json) -> None:
        before = states[0]["ports"] if len(states) > 1 else []
        if states[-1]["ports"] != before:
            self._note()

    def _note(self) -> None:
        metrics.QUEUED.set(time.time())
        self._changed.set()

    async def run(self) -> None:
        """Runs until cancelled. Rules stay when the API goes away: established services keep working."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run())
            tasks.create_task(self._services.run())
            tasks.create_task(self._slices.run())
            tasks.create_task(self._pods.run())
            tasks.create_task(self._sync_forever())

    async def _sync_forever(self) -> None:
        # Nothing is applied before all are known: a half view would cut working services off.
        await self._services.synced.wait()
        await self._slices.synced.wait()
        await self._pods.synced.wait()
        self._programming.forget()
        while True:
            self._changed.clear()
            pause = RESYNC if await self._sync() else RETRY
            try:
                await asyncio.wait_for(self._changed.wait(), pause)
            except TimeoutError:
                continue
            await asyncio.sleep(SETTLE)

    async def _sync(self) -> bool:
        started = time.perf_counter()
        ports = service_ports(self._services.items.values(), self._slices.items.values(), self.node)
        ports += host_ports(self._pods.items.values())
        well = True
        for backend in self.backends:
            try:
                await backend.sync(ports)
                # Ports that cannot be listened on are reported where their users look: at their service, or their pod.
                for port, why in backend.complaints():
                    namespace, _, name = port.name.partition(":")[0].partition("/")
                    owners = self._pods if port.kind == "Pod" else self._services
                    if owner := owners.items.get((namespace, name)):
                        self._recorder.event({**owner, "kind": port.kind}, "Warning", "FailedToListen", why)
            except (RuntimeError, OSError) as error:
                log.error("%s: %s; trying again in %.0f s", type(backend).__name__, error, RETRY)
                well = False
        seconds = time.perf_counter() - started
        log.debug("%d service ports in %.1f ms", len(ports), seconds * 1e3)
        metrics.SYNC.observe(seconds)
        metrics.PORTS.set(len(ports))
        if well:
            metrics.LAST.set(time.time())
            self._programming.applied()
        else:
            metrics.FAILURES.add()
        return well

    async def close(self) -> None:
        for backend in self.backends:
            await backend.close()
