"""Simulated nodes: what becomes of pods, and the fleet against the fake API."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from client import Client, Config
from kubelet.simulate import stages
from kubelet.simulate.fleet import Fleet
from kubelet.simulate.nodes import Nodes
from kubelet.simulate.pipe import Pipe
from tests.kubelet.fakeapi import FakeApi, pod

NOW = "2026-01-01T00:00:00Z"


def outcome(image: str, job: bool = False, **spec: Any) -> Any:
    made = pod("p", {"name": "c", "image": image}, **spec)
    made["metadata"].update(uid="u", ownerReferences=[{"kind": "Job"}] if job else [])
    made["status"]["conditions"] = [{"type": "PodScheduled", "status": "True"}]
    return stages.status(stages.trim(made), "10.128.0.1", "10.64.0.1", NOW)


def test_a_pod_runs_and_is_ready_at_once() -> None:
    found = outcome("nginx:1")
    assert [c["type"] for c in found["conditions"]] == ["Initialized", "Ready", "ContainersReady", "PodScheduled"]
    assert found["containerStatuses"] == [
        {"name": "c", "image": "nginx:1", "imageID": "", "state": {"running": {"startedAt": NOW}}, "lastState": {},
         "ready": True, "restartCount": 0}]  # fmt: skip
    assert (found["phase"], found["podIP"], found["hostIP"]) == ("Running", "10.128.0.1", "10.64.0.1")


@pytest.mark.parametrize(
    ("image", "job", "phase", "ends"),
    [
        ("x:1", True, "Succeeded", 0),
        ("fail:1", True, "Failed", 1),
        ("fail:1", False, "Running", None),
        ("forever:1", True, "Running", None),
        ("never:1", False, "Pending", None),
    ],
)
def test_images_that_behave_otherwise(image: str, job: bool, phase: str, ends: int | None) -> None:
    found = outcome(image, job)
    state = found["containerStatuses"][0]["state"]
    assert found["phase"] == phase
    assert (state.get("terminated") or {}).get("exitCode") == ends
    if phase == "Pending":
        assert state["waiting"]["reason"] == "ImagePullBackOff" and "podIP" not in found


@pytest.mark.parametrize(("owner", "waits"), [("ReplicaSet", False), ("StatefulSet", True), (None, False)])
def test_only_a_pod_whose_name_comes_back_takes_time_to_stop(owner: str | None, waits: bool) -> None:
    made = pod("p", {"name": "c", "image": "nginx:1"})
    made["metadata"].update(uid="u", ownerReferences=[{"kind": owner}] if owner else [])
    assert (stages.stopping(stages.trim(made)) > 0) is waits


def test_a_pod_of_a_node_that_was_late_becomes_ready_again() -> None:
    made = pod("p", {"name": "c", "image": "nginx:1"})
    made["metadata"]["uid"] = "u"
    made["status"] = {**outcome("nginx:1"), "startTime": "2025-01-01T00:00:00Z"}
    assert stages.settled(stages.trim(made))
    ready = next(c for c in made["status"]["conditions"] if c["type"] == "Ready")
    ready.update(status="False", reason="NodeNotReady")
    late = stages.trim(made)
    assert not stages.settled(late)
    again = stages.status(late, "10.128.0.1", "10.64.0.1", NOW)
    assert {c["type"]: c["status"] for c in again["conditions"]} == dict.fromkeys(
        ("Initialized", "Ready", "ContainersReady", "PodScheduled"), "True"
    )
    assert again.keys() == {"conditions"}  # it was not started anew


def test_a_fleet_registers_runs_and_removes() -> None:
    async def main() -> FakeApi:
        api = FakeApi()
        config = Config(server=await api.start())
        async with Client(config) as client:
            pipe = Pipe(config, 4)
            nodes = Nodes(client, pipe, "sim=true", lambda names: fleet.look_again(names))
            fleet = Fleet(client, pipe, nodes.hosts)
            await nodes.create(3, "sim-")
            await nodes.create(3, "sim-")
            tasks = [asyncio.create_task(run) for run in (pipe.run(), nodes.run(), fleet.run(), nodes.heartbeat())]
            for number in range(200):
                api.put("pods", pod(f"p{number}", {"name": "c"}, node=f"sim-{number % 4}"))
            mine = [api.get("pods", f"p{n}") for n in range(200) if n % 4 < 3]
            async with asyncio.timeout(60):
                while any(api.get("pods", o["metadata"]["name"])["status"]["phase"] != "Running" for o in mine):
                    await asyncio.sleep(0.02)
                assert api.get("pods", "p3")["status"]["phase"] == "Pending"
                api.delete_pod("p0")
                while ("pods", "default", "p0") in api.objects or (
                    "leases",
                    "kube-node-lease",
                    "sim-0",
                ) not in api.objects:
                    await asyncio.sleep(0.02)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await api.stop()
        return api

    api = asyncio.run(main())
    assert api.requests[("PATCH", "pods")] == 150
    node = api.get("nodes", "sim-1", "")
    assert node["metadata"]["labels"]["topology.kubernetes.io/zone"] == "zone-1"
    assert {c["type"]: c["status"] for c in node["status"]["conditions"]}["Ready"] == "True"
