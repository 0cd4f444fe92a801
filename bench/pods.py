"""A pod as a ReplicaSet would make it, and many of them in a server.

With defaults and managedFields it is stored in 2.5 KB: 10,000 of them are the 24 to 26 MB of the list that the figures of
the real API server were taken with.
"""

from __future__ import annotations

import asyncio

import orjson

from bench.wire import Connection, Target

COLLECTION = "/api/v1/namespaces/default/pods"


def pod(name: str) -> bytes:
    return orjson.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": "bench", "pod-template-hash": "6d4cf56db6"}},
            "spec": {
                "nodeName": "node-1",
                "containers": [
                    {
                        "name": "web",
                        "image": "registry.example/web:1.27",
                        "args": ["--listen", ":8080"],
                        "env": [{"name": "SETTING", "value": "value of this setting"}],
                        "ports": [{"containerPort": 8080, "name": "http"}],
                        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
                    }
                ],
            },
        }
    )


async def create_all(target: Target, count: int, clients: int, prefix: str = "pod") -> list[float]:
    """Create pods from so many clients at once; the latency of each create in seconds."""
    numbers = iter(range(count))
    latencies: list[float] = []
    loop = asyncio.get_running_loop()

    async def work() -> None:
        connection = await Connection(target).open()
        for number in numbers:
            body = pod(f"{prefix}-{number:05d}")
            started = loop.time()
            await connection.request("POST", COLLECTION, body)
            latencies.append(loop.time() - started)
        connection.close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(clients):
            tasks.create_task(work())
    return latencies


async def wait_for_account(target: Target) -> None:
    """A pod needs its namespace's service account; a server without controllers is given it here."""
    connection = await Connection(target).open()
    body = orjson.dumps({"metadata": {"name": "default"}})
    try:
        await connection.request("POST", "/api/v1/namespaces/default/serviceaccounts", body)
    except RuntimeError as error:
        if " 409 " not in str(error):
            raise
    connection.close()
