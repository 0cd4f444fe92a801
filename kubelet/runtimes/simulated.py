"""`base.Runtime` without processes: containers run until they are told to end.  For tests of the sync loop, and for
trying a kubelet where nothing may be started (`--runtime simulated`)."""

from __future__ import annotations

import asyncio
import itertools
import signal as signals
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from kubelet.runtimes.base import (
    ContainerSpec,
    ContainerState,
    ImageError,
    Limits,
    Measurable,
    PodState,
    Running,
    SandboxSpec,
    StartError,
)


@dataclass
class _Pod:
    spec: SandboxSpec
    address: str
    ready: bool = True
    since: float = 0.0
    containers: dict[tuple[str, int], ContainerState] = field(default_factory=dict)


class SimulatedExec:
    """A command that did nothing, successfully."""

    async def wait(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing runs."""


class SimulatedRuntime:
    """Every image but `never:1` exists; a container whose command is `exit N` ends at once with that code."""

    name = "sim"
    version = "1"
    shared_network = False
    own_users = True

    def __init__(self) -> None:
        self._pods: dict[str, _Pod] = {}
        self._numbers = itertools.count(2)
        self._changed: Callable[[str], None] = lambda uid: None
        self._prefix = ""
        self.limits: dict[tuple[str, str], Limits] = {}
        """What running containers were limited to later on, by pod uid and name."""

    async def start(self, changed: Callable[[str], None], pod_cidr: str) -> None:
        self._changed = changed
        self._prefix = pod_cidr.rsplit(".", 1)[0]

    async def close(self) -> None:
        self._pods.clear()

    def pods(self) -> list[str]:
        return list(self._pods)

    def state(self, uid: str) -> PodState | None:
        pod = self._pods.get(uid)
        if pod is None:
            return None
        kept = list(pod.containers.values())
        return PodState(uid, pod.spec.namespace, pod.spec.name, pod.ready, pod.address, kept, pod.since)

    def measurable(self, uid: str) -> Measurable | None:
        state = self.state(uid)
        if state is None or not state.ready:
            return None
        return Measurable(state, [Running(container) for container in state.containers if container.running])

    def has_image(self, image: str) -> bool:
        return image != "never:1"

    async def pull(self, image: str) -> None:
        if not self.has_image(image):
            raise ImageError("ErrImagePull", f'failed to pull image "{image}": not found')

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        address = "" if spec.host_network else f"{self._prefix}.{next(self._numbers) % 250}"
        old = self._pods.get(spec.uid)
        self._pods[spec.uid] = _Pod(spec, address, since=time.time(), containers=old.containers if old else {})
        return address

    async def start_container(self, uid: str, spec: ContainerSpec) -> str:
        identifier = f"{uid}-{spec.name}-{spec.attempt}"
        run = ContainerState(spec.name, spec.attempt, identifier, spec.image, time.time(), log=spec.log)
        self._pods[uid].containers[spec.name, spec.attempt] = run
        if spec.args[:1] == ["exit"]:
            self.end(uid, spec.name, int(spec.args[1]))
        return identifier

    def end(self, uid: str, name: str, code: int, signal: int = 0) -> None:
        """The container's program ends by itself."""
        pod = self._pods[uid]
        run = max((c for c in pod.containers.values() if c.name == name), key=lambda c: c.attempt)
        if run.running:
            reason = "Error" if code else "Completed"
            ended = replace(run, finished_at=time.time(), exit_code=code, signal=signal, reason=reason)
            pod.containers[name, run.attempt] = ended
            asyncio.get_running_loop().call_soon(self._changed, uid)

    async def limit(self, uid: str, name: str, attempt: int, limits: Limits) -> None:
        self.limits[uid, name] = limits

    async def kill(self, uid: str, name: str, signal: int) -> None:
        if uid in self._pods:
            self.end(uid, name, 128 + signal if signal == signals.SIGKILL else 0, signal)

    async def exec(
        self, uid: str, name: str, args: list[str], fds: tuple[int, int, int], tty: bool = False
    ) -> SimulatedExec:
        state = self.state(uid)
        latest = state.latest(name) if state else None
        if latest is None or not latest.running:
            raise StartError(f"container {name} is not running")
        return SimulatedExec()

    async def attach(self, uid: str, name: str, fds: tuple[int, int]) -> int:
        raise StartError("a simulated container has no streams")

    async def end_input(self, uid: str, name: str) -> None:
        return

    async def remove_container(self, uid: str, name: str, attempt: int) -> None:
        self._pods[uid].containers.pop((name, attempt), None)

    async def stop_sandbox(self, uid: str) -> None:
        pod = self._pods.get(uid)
        if pod is not None:
            for name, _ in list(pod.containers):
                self.end(uid, name, 137, signals.SIGKILL)
            pod.ready = False

    async def remove_pod(self, uid: str) -> None:
        self._pods.pop(uid, None)
