"""One pod's worker: looks at what is wanted and what runs, and does the next step, until the pod is gone."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from client import ApiStatusError, Client
from client.events import Recorder
from kube.pods import podutil
from kubelet import plan as plans
from kubelet.admission import Refusal
from kubelet.containers import Builder
from kubelet.launching import Launcher
from kubelet.messages import read as read_message
from kubelet.metrics import WORKER
from kubelet.podfiles import PodFiles
from kubelet.probes.actions import Asker
from kubelet.probes.manager import PodProbes, probes_of
from kubelet.resizing import Resizer
from kubelet.runtimes.base import ContainerState, PodState, Runtime, SandboxSpec
from kubelet.sources import Sources
from kubelet.status import Observed, compute
from kubelet.statuses import StatusWriter
from kubelet.stopping import Stop
from kubelet.termination import Termination
from kubelet.tokens import TokenManager
from kubelet.volumes import manager as volumes
from kubelet.volumes.base import Context, Ready, VolumeError

if TYPE_CHECKING:
    from kube.shapes import PodLike

log = logging.getLogger("kubelet.worker")
RESYNC = 30.0
RETRY = (0.5, 60.0)


@dataclass(frozen=True)
class Tools:
    """What all workers of a node share."""

    client: Client
    runtime: Runtime
    recorder: Recorder
    sources: Sources
    tokens: TokenManager
    volumes: Context
    files: PodFiles
    builder: Builder
    refuse_resize: Callable[[PodWorker], Refusal | None]
    host_ip: str
    node: str
    root: Path


@dataclass
class Outcome:
    """How the pod ends when it does not end by being deleted."""

    phase: str | None = None
    reason: str = ""
    message: str = ""


class PodWorker:
    """`update()` hands in the newest object, `removed()` tells that the API has it no more; `run()` returns at the end."""

    def __init__(self, pod: PodLike, tools: Tools) -> None:
        self.pod = pod
        self.uid = podutil.uid(pod)
        self.tools = tools
        self.outcome = Outcome()
        self.waiting: dict[str, tuple[str, str]] = {}
        self.volumes: dict[str, Ready] | None = None
        self.lost = False
        self.probes = PodProbes(self.wake, lambda name, text: self.say("Warning", "Unhealthy", text, name))
        self.stops: dict[str, tuple[Stop, asyncio.Task[None]]] = {}
        self.writer = StatusWriter(tools.client, pod)
        self._wake = asyncio.Event()
        self._messages: dict[str, str] = {}
        self._failures = 0
        self.launcher = Launcher(self)
        self.resizer = Resizer(self)
        self._termination = Termination(self)
        self._refresh_at = 0.0

    # -- what comes from outside ------------------------------------------------------------------------------------

    def wake(self) -> None:
        self._wake.set()

    def update(self, pod: PodLike) -> None:
        self.pod = pod
        self.wake()

    def removed(self) -> None:
        self.lost = True
        self.wake()

    def content_changed(self) -> None:
        """A ConfigMap or Secret of the pod changed: its volumes are written anew."""
        self._refresh_at = 0.0
        self.wake()

    def say(self, kind: str, reason: str, message: str, container: str = "") -> None:
        path = podutil.field_path(self.pod, container) if container else ""
        self.tools.recorder.event(self.pod, kind, reason, message, path)

    # -- the loop -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Never lets one failure end it: it waits a little longer each time, and looks again."""
        while True:
            self._wake.clear()
            started, kind = time.perf_counter(), "kill" if self.ending else "sync"
            try:
                delay = await self.sync()
                WORKER.observe(time.perf_counter() - started, kind)
                self._failures = 0
            except asyncio.CancelledError:
                self._close()
                raise
            except Exception as error:
                self._failures += 1
                expected = isinstance(error, (OSError, ApiStatusError, VolumeError))
                log.warning("pod %s: %s", podutil.full_name(self.pod), error, exc_info=None if expected else error)
                delay = min(RETRY[0] * (1 << min(self._failures, 10)), RETRY[1])
            if delay is None:
                self._close()
                return
            try:
                # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the event.
                async with asyncio.timeout(delay):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _close(self) -> None:
        self.probes.close()
        self.writer.close()
        self.launcher.close()

    async def sync(self) -> float | None:
        """One look and one step; seconds until the next look, None when the pod is gone for good."""
        state = self.tools.runtime.state(self.uid)
        for run in state.containers if state else ():
            container = podutil.container(self.pod, run.name)
            if not run.running and run.id not in self._messages and container is not None:
                file = self.tools.files.termination_log(self.uid, run.name, run.attempt)
                self._messages[run.id] = read_message(container, run, file)
        self._follow_probes(state)
        if self._until_deadline() <= 0 and not self.ending:
            message = "Pod was active on the node longer than the specified deadline"
            self.outcome = Outcome("Failed", "DeadlineExceeded", message)
            self.say("Normal", "DeadlineExceeded", message)
        if self.ending:
            return await self._termination.step(state)
        plan = plans.make(self.pod, state, self.has_started)
        if plan.phase:
            self.outcome = Outcome(plan.phase)
            return await self._termination.step(state)
        self._stop_some(plan, state)
        await self.resizer.follow(state)
        self.publish(state)
        next_look = await self.launcher.launch(plan, state) if plan.start else RESYNC
        self.publish(self.tools.runtime.state(self.uid))
        return min(next_look, await self._refresh_volumes(), self._until_deadline())

    @property
    def ending(self) -> bool:
        return self.lost or podutil.deleting(self.pod) or podutil.finished(self.pod) or self.outcome.phase is not None

    # -- parts of a look ----------------------------------------------------------------------------------------------

    def running(self, state: PodState | None) -> dict[str, ContainerState]:
        if state is None or not state.ready:
            return {}
        latest = (state.latest(c["name"]) for c in podutil.all_containers(self.pod["spec"]))
        return {found.name: found for found in latest if found is not None and found.running}

    def address(self, state: PodState | None) -> str:
        if self.pod["spec"].get("hostNetwork"):
            return self.tools.host_ip
        return state.ip if state else ""

    def _follow_probes(self, state: PodState | None) -> None:
        running = {
            name: run
            for name, run in self.running(state).items()
            if self.launcher.hook_done(run.id) and (self.ending or name not in self.stops)
        }
        self.probes.sync(self.pod, running, Asker(self.tools.runtime, self.uid, self.address(state)), self.ending)

    def has_started(self, name: str) -> bool:
        return self.probes.started().get(name, False)

    @property
    def counts(self) -> bool:
        """Whether the pod takes of the node's resources: not once nothing of it runs and nothing will."""
        over = self.lost or podutil.finished(self.pod) or self.outcome.phase is not None
        return not over or bool(self.running(self.tools.runtime.state(self.uid)))

    def refuse(self, reason: str, message: str) -> None:
        """The pod ends as failed before it starts: the node does not take it."""
        self.outcome = Outcome("Failed", reason, f"Pod was rejected: {message}")
        self.say("Warning", reason, message)

    def evict(self, message: str) -> None:
        """The pod ends as failed, because it took what it may not have."""
        self.outcome = Outcome("Failed", "Evicted", message)
        self.say("Warning", "Evicted", message)
        self.wake()

    def _until_deadline(self) -> float:
        seconds, started = self.pod["spec"].get("activeDeadlineSeconds"), podutil.start_time(self.pod)
        if seconds is None or started is None:
            return RESYNC
        return min(RESYNC, started + float(seconds) - time.time())

    def _stop_some(self, plan: plans.Plan, state: PodState | None) -> None:
        running = self.running(state)
        for name, kind in self.probes.failed().items():
            if name in running:
                probe = probes_of(podutil.container(self.pod, name) or {}).get(kind) or {}
                grace = probe.get("terminationGracePeriodSeconds")
                message = f"Container {name} failed {kind} probe, will be restarted"
                self.stop(name, message, podutil.grace_period(self.pod) if grace is None else float(grace), state)
        for name in plan.stop:
            if name in running:
                self.stop(name, f"Stopping container {name}", podutil.grace_period(self.pod), state)

    def stop(self, name: str, message: str, grace: float, state: PodState | None) -> None:
        """Begins to stop a container in the background; repeated, it only shortens the grace."""
        if name in self.stops:
            self.stops[name][0].hurry(grace)
            return
        container = podutil.container(self.pod, name) or {"name": name}
        stop = Stop(self.tools.runtime, self.uid, container, self.address(state), grace)
        self.say("Normal", "Killing", message, name)
        task = asyncio.create_task(stop.run(lambda kind, reason, text: self.say(kind, reason, text, name)))
        self.stops[name] = (stop, task)
        task.add_done_callback(lambda done: self._stopped(name, done))

    def _stopped(self, name: str, task: asyncio.Task[None]) -> None:
        self.stops.pop(name, None)
        if not task.cancelled() and task.exception() is not None:
            log.warning("pod %s: stopping %s: %s", podutil.full_name(self.pod), name, task.exception())
        self.wake()

    async def ensure_volumes(self) -> dict[str, Ready]:
        if self.volumes is None:
            self.volumes = await volumes.set_up(self.pod, self.tools.volumes)
            self._refresh_at = time.time() + RESYNC
        return self.volumes

    async def _refresh_volumes(self) -> float:
        """Writes volumes anew whose content follows the API; seconds until that is due again."""
        if self.volumes is None and self.running(self.tools.runtime.state(self.uid)):
            await self.ensure_volumes()  # adopted after a restart of the kubelet
        if self.volumes is None:
            return RESYNC
        now = time.time()
        if now >= self._refresh_at:
            try:
                self.volumes.update(await volumes.set_up(self.pod, self.tools.volumes, only_live=True))
            except VolumeError as error:
                self.say("Warning", "FailedMount", str(error))
            renewal = self.tools.tokens.renewal(self.uid)
            self._refresh_at = max(now + 5, min(now + 600, renewal or now + 600))
        return max(0.1, self._refresh_at - now)

    # -- what is told ---------------------------------------------------------------------------------------------------

    def observe(self, state: PodState | None) -> Observed:
        return Observed(
            state=state,
            host_ip=self.tools.host_ip,
            runtime=self.tools.runtime.name,
            now=time.time(),
            waiting=self.waiting,
            ready=self.probes.ready(),
            started=self.probes.started(),
            messages=self._messages,
            resources=self.resizer.given,
            granted=self.resizer.granted,
            resize_error=self.resizer.error,
            resize_pending=self.resizer.pending,
            resizing=self.resizer.changing,
            phase=self.outcome.phase if not self.running(state) else None,
            reason=self.outcome.reason,
            message=self.outcome.message,
            stopping=self.ending,
        )

    def publish(self, state: PodState | None) -> None:
        """Writes the status, if it is news; nobody waits for it."""
        if not self.lost:
            self.writer.set(compute(self.pod, self.observe(state)), self.pod.get("status") or {})

    def sandbox(self, ready: dict[str, Ready]) -> SandboxSpec:
        spec, metadata = self.pod["spec"], self.pod["metadata"]
        return SandboxSpec(
            uid=self.uid,
            namespace=metadata["namespace"],
            name=metadata["name"],
            hostname=podutil.hostname(self.pod, self.tools.node),
            host_network=bool(spec.get("hostNetwork")),
            host_pid=bool(spec.get("hostPID")),
            host_ipc=bool(spec.get("hostIPC")),
            share_processes=bool(spec.get("shareProcessNamespace")),
            own_users=spec.get("hostUsers") is False,
            memory=volumes.memory(ready),
            sysctls={
                sysctl["name"]: sysctl["value"] for sysctl in (spec.get("securityContext") or {}).get("sysctls") or ()
            },
        )
