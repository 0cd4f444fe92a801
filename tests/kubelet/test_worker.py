"""The sync loop against the fake API, with containers that are simulated."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from client import Client, Config
from kube import quantity
from kubelet.agent import Agent
from kubelet.options import Options
from kubelet.runtimes.base import Limits
from kubelet.runtimes.simulated import SimulatedRuntime
from kubelet.stopping import Stop
from tests.kubelet.fakeapi import FakeApi, pod


class World:
    def __init__(self, api: FakeApi, agent: Agent, runtime: SimulatedRuntime) -> None:
        self.api, self.agent, self.runtime = api, agent, runtime

    async def until(self, check: Callable[[], Any]) -> Any:
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(KeyError, IndexError):
                    if value := check():
                        return value
                await asyncio.sleep(0.01)

    def status(self, name: str) -> Any:
        return self.api.get("pods", name)["status"]

    def state(self, name: str) -> Any:
        return self.status(name)["containerStatuses"][0]["state"]


@contextlib.asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    api, runtime = FakeApi(), SimulatedRuntime()
    async with Client(Config(server=await api.start())) as client:
        options = Options("", folder, "n1", port=0, pod_cidr="10.9.0.0/24")
        agent = Agent(client, options, runtime)
        task = asyncio.create_task(agent.run())
        try:
            yield World(api, agent, runtime)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await api.stop()


def play(folder: Path, story: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        async with world(folder) as made:
            await story(made)

    asyncio.run(main())


def test_a_pod_runs_ends_and_is_started_again(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        w.api.put("pods", pod("a", {"name": "c", "command": ["serve"]}))
        await w.until(lambda: w.status("a")["phase"] == "Running" and "running" in w.state("a"))
        assert w.status("a")["podIP"].startswith("10.9.0.")
        w.runtime.end(w.api.get("pods", "a")["metadata"]["uid"], "c", 3)
        await w.until(lambda: w.status("a")["containerStatuses"][0]["restartCount"] == 1)
        assert w.status("a")["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 3

    play(tmp_path, story)


def test_a_post_start_hook_holds_back_the_containers_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(w: World) -> None:
        over = asyncio.Event()

        async def hook(*arguments: Any) -> None:
            await over.wait()

        monkeypatch.setattr("kubelet.hooks.call", hook)
        lifecycle = {"postStart": {"exec": {"command": ["wait-until-ready"]}}}
        w.api.put("pods", pod("a", {"name": "proxy", "command": ["serve"], "lifecycle": lifecycle},
                              {"name": "c", "command": ["serve"]}))  # fmt: skip
        states = await w.until(lambda: [s for s in w.status("a")["containerStatuses"] if "running" in s["state"]])
        assert [s["name"] for s in states] == ["proxy"]
        over.set()
        await w.until(lambda: all("running" in s["state"] for s in w.status("a")["containerStatuses"]))

    play(tmp_path, story)


def test_resources_of_a_running_container_follow_its_spec(tmp_path: Path) -> None:
    def resize(w: World, memory: str) -> None:
        changed = copy.deepcopy(w.api.get("pods", "a"))
        changed["spec"]["containers"][0]["resources"] = {"limits": {"memory": memory}}
        w.api.put("pods", changed)

    def status(w: World) -> Any:
        return w.status("a")["containerStatuses"][0]

    async def story(w: World) -> None:
        policy = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]
        w.api.put("pods", pod("a", {"name": "c", "command": ["serve"], "resources": {"limits": {"memory": "1Mi"}},
                                    "resizePolicy": policy}))  # fmt: skip
        await w.until(lambda: "running" in w.state("a"))
        uid = w.api.get("pods", "a")["metadata"]["uid"]
        resize(w, "2Mi")
        await w.until(lambda: status(w)["resources"]["limits"]["memory"] == "2Mi")
        assert w.runtime.limits[uid, "c"].memory_bytes == 2 << 20 and status(w)["restartCount"] == 0
        w.runtime.limits = Refusing()
        resize(w, "1Ki")
        refused = await w.until(lambda: [c for c in w.status("a")["conditions"] if c["type"] == "PodResizeInProgress"])
        assert (refused[0]["reason"], refused[0]["message"]) == ("Error", "too small")
        assert status(w)["resources"]["limits"]["memory"] == "2Mi"
        w.runtime.limits = {}
        resize(w, "3Mi")
        await w.until(lambda: status(w)["resources"]["limits"]["memory"] == "3Mi")
        await w.until(lambda: all(c["type"] != "PodResizeInProgress" for c in w.status("a")["conditions"]))

    play(tmp_path, story)


def test_a_resize_waits_for_what_the_node_cannot_give(tmp_path: Path) -> None:
    def ask(w: World, cpu: str) -> None:
        changed = copy.deepcopy(w.api.get("pods", "a"))
        changed["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu}}
        w.api.put("pods", changed)

    def pending(w: World) -> str:
        return next((c["reason"] for c in w.status("a")["conditions"] if c["type"] == "PodResizePending"), "")

    async def story(w: World) -> None:
        small = {"requests": {"cpu": "100m"}}
        node = await w.until(lambda: w.api.get("nodes", "n1", ""))
        whole = quantity.milli(node["status"]["allocatable"]["cpu"])
        beside_none, never = f"{whole - 50}m", f"{whole + 1000}m"
        for name in ("a", "other"):
            w.api.put("pods", pod(name, {"name": "c", "command": ["serve"], "resources": small}))
            await w.until(lambda name=name: w.status(name)["phase"] == "Running")  # type: ignore[misc]
        ask(w, beside_none)
        await w.until(lambda: pending(w) == "Deferred")
        status = w.status("a")["containerStatuses"][0]
        assert status["allocatedResources"] == status["resources"]["requests"] == {"cpu": "100m"}
        ask(w, never)
        await w.until(lambda: pending(w) == "Infeasible")
        ask(w, beside_none)
        await w.until(lambda: pending(w) == "Deferred")
        w.api.delete_pod("other", 0)
        await w.until(lambda: not pending(w))
        status = w.status("a")["containerStatuses"][0]
        assert status["allocatedResources"] == status["resources"]["requests"] == {"cpu": beside_none}

    play(tmp_path, story)


class Refusing(dict[tuple[str, str], Limits]):
    def __setitem__(self, key: tuple[str, str], value: Limits) -> None:
        raise OSError("too small")


def test_a_resize_restarts_where_the_policy_says_so(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        policy = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
        w.api.put("pods", pod("a", {"name": "c", "command": ["serve"], "resources": {"limits": {"memory": "1Mi"}},
                                    "resizePolicy": policy}))  # fmt: skip
        await w.until(lambda: "running" in w.state("a"))
        changed = copy.deepcopy(w.api.get("pods", "a"))
        changed["spec"]["containers"][0]["resources"] = {"limits": {"memory": "2Mi"}}
        w.api.put("pods", changed)
        await w.until(lambda: w.status("a")["containerStatuses"][0]["restartCount"] == 1 and "running" in w.state("a"))
        assert w.status("a")["containerStatuses"][0]["resources"]["limits"]["memory"] == "2Mi"
        # The recorder writes events in the background.
        await w.until(lambda: w.api.events("Killing"))
        assert w.api.events("Killing") == ["Container c resize requires restart, will be restarted"]

    play(tmp_path, story)


def test_the_probe_that_failed_gives_the_grace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(w: World) -> None:
        graces: list[float] = []

        class Noted(Stop):
            def __init__(self, runtime: Any, uid: str, container: Any, address: str, grace: float) -> None:
                super().__init__(runtime, uid, container, address, grace)
                graces.append(grace)

        monkeypatch.setattr("kubelet.worker.Stop", Noted)
        nobody = {"tcpSocket": {"host": "127.0.0.1", "port": 1}, "failureThreshold": 1, "periodSeconds": 1}
        w.api.put("pods", pod("a", {"name": "c", "command": ["serve"],
                                    "startupProbe": {**nobody, "terminationGracePeriodSeconds": 7},
                                    "livenessProbe": {**nobody, "terminationGracePeriodSeconds": 9}}))  # fmt: skip
        await w.until(lambda: graces)
        assert set(graces) == {7.0}

    play(tmp_path, story)


def test_deletion_ends_the_containers_then_the_object(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        w.api.put("pods", pod("a", {"name": "c", "command": ["serve"]}))
        await w.until(lambda: "running" in w.state("a"))
        w.api.delete_pod("a")
        await w.until(lambda: ("pods", "default", "a") not in w.api.objects)
        await w.until(lambda: not w.agent.workers and not w.runtime.pods())
        await w.until(lambda: w.api.events("Killing"))
        assert w.api.events("Killing") == ["Stopping container c"]

    play(tmp_path, story)


def test_a_deadline_fails_the_pod(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        w.api.put("pods", pod("a", {"name": "c", "command": ["serve"]}, activeDeadlineSeconds=1))
        await w.until(lambda: w.status("a")["phase"] == "Failed")
        assert w.status("a")["reason"] == "DeadlineExceeded"

    play(tmp_path, story)


def test_one_broken_pod_does_not_stop_the_others(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        broken = pod("broken", {"name": "c", "command": ["serve"], "resources": {"limits": {"cpu": "what"}}})
        w.api.put("pods", broken)
        missing = [{"name": "v", "configMap": {"name": "none"}}]
        w.api.put("pods", pod("mount", {"name": "c", "command": ["serve"]}, volumes=missing))
        w.api.put("pods", pod("ok", {"name": "c", "command": ["serve"]}))
        await w.until(lambda: "running" in w.state("ok"))
        await w.until(lambda: any('configmap "none" not found' in text for text in w.api.events("FailedMount")))
        assert w.status("mount")["phase"] == "Pending"
        w.api.put("configmaps", {"metadata": {"name": "none", "namespace": "default"}, "data": {}})
        await w.until(lambda: "running" in w.state("mount"))

    play(tmp_path, story)


def test_a_pod_removed_from_the_api_is_ended(tmp_path: Path) -> None:
    async def story(w: World) -> None:
        w.api.put("pods", pod("a", {"name": "c", "command": ["serve"]}))
        await w.until(lambda: "running" in w.state("a"))
        w.api.remove("pods", "default", "a")
        await w.until(lambda: not w.runtime.pods())
        assert ("pods", "default", "a") not in w.api.objects, "and nobody wrote it back"

    play(tmp_path, story)


@pytest.mark.parametrize("policy", ["Never", "IfNotPresent"])
def test_images_that_are_not_there(tmp_path: Path, policy: str) -> None:
    async def story(w: World) -> None:
        w.api.put("pods", pod("a", {"name": "c", "image": "never:1", "imagePullPolicy": policy}))
        last = "ErrImageNeverPull" if policy == "Never" else "ImagePullBackOff"
        await w.until(lambda: w.state("a")["waiting"]["reason"] == last)
        if policy != "Never":
            await w.until(lambda: {"Error: ErrImagePull", "Error: ImagePullBackOff"} <= set(w.api.events("Failed")))
        assert w.status("a")["phase"] == "Pending" and not w.state("a").get("running")

    play(tmp_path, story)
