"""The loop between the API and a backend."""

from __future__ import annotations

import asyncio
import socket

from client import Client
from client.kubeconfig import Config
from kubeproxy.proxy import Proxy
from kubeproxy.userspace import Userspace
from tests.kubelet.fakeapi import FakeApi


def test_a_port_that_can_not_be_had_is_an_event_of_its_service() -> None:
    async def story(port: int) -> FakeApi:
        api = FakeApi()
        config = Config(server=await api.start())
        api.put("services", {"metadata": {"name": "web", "namespace": "shop"}, "spec": {
            "clusterIP": "10.96.7.7", "type": "NodePort", "ports": [{"port": 80, "nodePort": port, "protocol": "TCP"}]}})
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
    assert event["involvedObject"]["kind"] == "Service" and event["metadata"]["namespace"] == "shop"
    assert (event["type"], event["source"]) == ("Warning", {"component": "kube-proxy", "host": "n1"})
    assert event["message"].startswith(f"can not listen on TCP 127.0.0.1:{port}: another program of this machine has")
