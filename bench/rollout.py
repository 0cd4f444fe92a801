"""Seconds from the scaling of a Deployment to 1,000 ready pods on simulated nodes, in a whole cluster."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import orjson
import uvloop

from bench.servers import ROOT, cluster
from bench.wire import Connection, Target

REPLICAS, NODES = 1_000, 20
DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments"


def deployment() -> bytes:
    labels = {"app": "rollout"}
    template = {
        "metadata": {"labels": labels},
        "spec": {
            "nodeSelector": {"type": "simulated"},
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "web", "image": "web:1", "resources": {"requests": {"cpu": "10m"}}}],
        },
    }
    return orjson.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "rollout"},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
        }
    )


async def measure(target: Target) -> dict[str, object]:
    connection = await Connection(target).open()
    await connection.request("POST", DEPLOYMENT, deployment())
    await _nodes_ready(connection)
    started = time.perf_counter()
    await connection.request(
        "PATCH",
        f"{DEPLOYMENT}/rollout",
        orjson.dumps({"spec": {"replicas": REPLICAS}}),
        content_type="application/merge-patch+json",
    )
    ready = 0
    marks: dict[str, float] = {}
    while ready < REPLICAS:
        await asyncio.sleep(0.05)
        status = orjson.loads(await connection.request("GET", f"{DEPLOYMENT}/rollout")).get("status", {})
        ready = status.get("readyReplicas", 0)
        for share in (1, REPLICAS // 2, REPLICAS):
            if ready >= share:
                marks.setdefault(f"{share}_ready_s", round(time.perf_counter() - started, 2))
        if time.perf_counter() - started > 120:
            raise TimeoutError(f"only {ready} pods were ready after 120 s")
    return {**marks, "seconds": round(time.perf_counter() - started, 2)}


async def _nodes_ready(connection: Connection) -> None:
    for _ in range(600):
        nodes = orjson.loads(await connection.request("GET", "/api/v1/nodes?labelSelector=type%3Dsimulated"))["items"]
        if len(nodes) >= NODES:
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("the simulated nodes did not register within 60 s")


def main() -> dict[str, object]:
    with cluster() as (target, var):
        fleet = simulate(var, NODES)
        try:
            return uvloop.run(measure(target))
        finally:
            fleet.terminate()
            fleet.wait(20)


def simulate(var: Path, nodes: int) -> subprocess.Popen[bytes]:
    """The kubelets of so many simulated nodes."""
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "kubelet.simulate",
            "--kubeconfig",
            str(var / "kubeconfig"),
            "--nodes",
            str(nodes),
            "--adopt-label",
            "type=simulated",
        ],
        cwd=ROOT,
    )


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
