"""The loop between the API and a backend."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

import pytest

from client import Client
from client.kubeconfig import Config
from kubeproxy.proxy import Proxy
from kubeproxy.rules import ServicePort
from kubeproxy.userspace import Userspace
from tests.kubelet.fakeapi import FakeApi, pod


class Noting:
    """A backend that remembers what it was to forward."""

    def __init__(self) -> None:
        self.ports: list[str] = []
        self.syncs = 0

    async def sync(self, ports: Sequence[ServicePort]) -> None:
        self.ports, self.syncs = [port.name for port in ports], self.syncs + 1

    def complaints(self) -> Sequence[tuple[ServicePort, str]]:
        return ()

    async def close(self) -> None:
        """Nothing is held."""

    async def until(self, check: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not check():
                await asyncio.sleep(0.01)


def test_host_ports_come_and_go_with_their_pods() -> None:
    async def main() -> None:
        api, backend = FakeApi(), Noting()
        async with Client(Config(server=await api.start())) as client:
            task = asyncio.create_task(Proxy(client, "n1", [backend]).run())
            try:
                await backend.until(lambda: backend.syncs == 1)
                served = pod("front", {"name": "c", "ports": [{"containerPort": 8080, "hostPort": 80}]})
                served["status"] = {"podIP": "10.244.0.3", "phase": "Running"}
                api.put("pods", served)
                await backend.until(lambda: backend.ports == ["default/front:host-80"])
                api.remove("pods", "default", "front")
                await backend.until(lambda: backend.ports == [])
                assert backend.syncs >= 3, "once for nothing, once with the pod, once without it"
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await api.stop()

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["Service", "Pod"])
def test_a_port_that_can_not_be_had_is_an_event_of_its_object(kind: str) -> None:
    async def story(port: int) -> FakeApi:
        api = FakeApi()
        config = Config(server=await api.start())
        if kind == "Service":
            api.put(
                "services",
                {
                    "metadata": {"name": "web", "namespace": "default"},
                    "spec": {
                        "clusterIP": "10.96.7.7",
                        "type": "NodePort",
                        "ports": [{"port": 80, "nodePort": port, "protocol": "TCP"}],
                    },
                },
            )
        else:
            served = pod("web", {"name": "c", "ports": [{"containerPort": 8080, "hostPort": port}]})
            api.put("pods", {**served, "status": {"podIP": "10.244.0.3", "phase": "Running"}})
        async with Client(config) as client:
            proxy = Proxy(client, "n1", [Userspace("127.0.0.1", cluster_ips=False)])
            running = asyncio.create_task(proxy.run())
            async with asyncio.timeout(60):
                while not api.events("FailedToListen"):
                    await asyncio.sleep(0.02)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await proxy.close()
        await api.stop()
        return api

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        api = asyncio.run(story(port))
    (event,) = (obj for (plural, _, _), obj in api.objects.items() if plural == "events")
    assert (event["involvedObject"]["kind"], event["metadata"]["namespace"]) == (kind, "default")
    assert (event["type"], event["source"]) == ("Warning", {"component": "kube-proxy", "host": "n1"})
    assert event["message"].startswith(f"cannot listen on TCP 127.0.0.1:{port}: another program of this machine has")
