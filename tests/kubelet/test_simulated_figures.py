"""Figures of simulated nodes: plausible, steady, and served to those who may see them."""

from __future__ import annotations

import asyncio
import ssl
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from client import Client, Config
from client.paths import kubelet_prefix
from config import pki
from kube.objects import Json
from kubelet.server.app import tls
from kubelet.server.auth import Guard
from kubelet.simulate import figures, stages
from kubelet.simulate.nodes import healthy, node
from kubelet.simulate.server import Server
from tests.kubelet.fakeapi import FakeApi, pod

START = 1767225600.0
RESOURCES = {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"cpu": "1"}}


def running(name: str = "p", on: str = "sim-0") -> Json:
    made = pod(name, {"name": "c", "image": "i", "resources": RESOURCES}, node=on)
    made["metadata"]["uid"] = f"uid-{name}"
    made["status"] = {"phase": "Running", "startTime": "2026-01-01T00:00:00Z"}
    return stages.trim(made)


def test_usage_stays_below_requests_and_moves_slowly() -> None:
    rates, memory = [], []
    for step in range(400):
        found = figures.snapshot("sim-0", START, [running()], START + 60 * step).pods[0].containers[0]
        rates.append(found.rate or 0.0)
        memory.append(found.usage.memory)
    assert 0 < min(rates) < max(rates) < 0.5 and max(rates) > 1.2 * min(rates)
    assert 0 < min(memory) < max(memory) < 256 << 20
    assert max(abs(after - before) for before, after in pairwise(rates)) < 0.1


def test_totals_are_the_integral_of_rates() -> None:
    seen = [figures.snapshot("n", START, [running()], START + at).pods[0].containers[0] for at in range(0, 7200, 10)]
    summed = sum((one.rate or 0.0) * 10 for one in seen[:-1])
    assert seen[-1].usage.cpu == pytest.approx(summed, rel=0.01)
    totals = [one.usage.cpu for one in seen]
    assert totals == sorted(totals) and totals[0] == 0


def test_the_same_pod_always_uses_the_same_and_others_do_not() -> None:
    at = START + 1000
    one, again = (figures.snapshot("n", START, [running()], at).pods[0] for _ in range(2))
    other = figures.snapshot("n", START, [running("q")], at).pods[0]
    assert one == again and one.rate != other.rate


def test_the_node_is_more_than_its_pods() -> None:
    found = figures.snapshot("n", START, [running(f"p{n}") for n in range(5)], START + 100)
    assert (found.node.rate or 0) > sum(one.rate or 0 for one in found.pods)
    assert figures.MEMORY > found.node.usage.working_set > sum(one.usage.working_set for one in found.pods)


def test_a_node_says_where_its_kubelet_is() -> None:
    made = node("sim-0", 0, "sim=true")
    patch = healthy(made, "127.0.0.1", 4711)
    assert patch and patch["status"]["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 4711}}
    assert kubelet_prefix(patch) == "/metrics/nodes/sim-0"
    there = {"metadata": {**made["metadata"], **patch["metadata"]}, "status": {**made["status"], **patch["status"]}}
    assert healthy(there, "127.0.0.1", 4711) is None
    assert healthy({**there, "metadata": made["metadata"]}, "127.0.0.1", 4711), "its path is not said"
    moved = healthy(there, "127.0.0.1", 4712)
    assert moved and moved["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] == 4712
    without = healthy(made, "10.64.0.1")
    assert without and "daemonEndpoints" not in without["status"] and "metadata" not in without


def test_each_node_answers_below_a_path_of_its_own(tmp_path: Path) -> None:
    pki.make_all(tmp_path, node="node", addresses=["127.0.0.1"])
    pods = [running("a", "sim-0"), running("b", "sim-1"), running("c", "sim-1")]
    ours = {"sim-0": START, "sim-1": START}

    async def main() -> None:
        context = tls(str(tmp_path / "kubelet.crt"), str(tmp_path / "kubelet.key"), str(tmp_path / "ca.crt"))
        api = FakeApi()
        api.rights = {
            ("kube-apiserver-kubelet-client", "get", "metrics"),
            ("kube-apiserver-kubelet-client", "get", "stats"),
        }
        guard = Guard(Client(Config(await api.start())))
        server = Server(context, guard, lambda: pods, ours.get)
        port = await server.start(["127.0.0.1", "127.0.0.1"])
        client = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
        client.load_cert_chain(tmp_path / "apiserver-kubelet-client.crt", tmp_path / "apiserver-kubelet-client.key")
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=client)) as session:
            for name, count in (("sim-0", 1), ("sim-1", 2)):
                url = f"https://127.0.0.1:{port}/metrics/nodes/{name}"
                summary = await (await session.get(f"{url}/stats/summary")).json()
                assert summary["node"]["nodeName"] == name and len(summary["pods"]) == count
                assert summary["pods"][0]["containers"][0]["cpu"]["usageNanoCores"] > 0 and "fs" in summary["node"]
                brief = await (await session.get(f"{url}/stats/summary?only_cpu_and_memory=true")).json()
                assert len(brief["pods"]) == count and set(brief["node"]) == {"nodeName", "startTime", "cpu", "memory"}
                for page in ("", "/cadvisor", "/resource", "/node"):
                    text = await (await session.get(f"{url}/metrics{page}")).text()
                    assert list(text_string_to_metric_families(text))
            del ours["sim-1"]
            server.drop("sim-1")
            assert (await session.get(f"{url}/stats/summary")).status == 404
        stranger = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(tmp_path / "ca.crt")))
        async with aiohttp.ClientSession(connector=stranger) as session:
            for page in (
                "/metrics/nodes/sim-0/stats/summary",
                "/metrics/nodes/sim-0/metrics/cadvisor",
                "/metrics",
                "/x",
            ):
                assert (await session.get(f"https://127.0.0.1:{port}{page}")).status == 401
            assert (await session.get(f"https://127.0.0.1:{port}/healthz")).status == 200
        await server.close()
        await api.stop()

    asyncio.run(main())
