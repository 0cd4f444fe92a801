"""The probes of one pod: a task for each probe of each running container."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from kube.objects import Json
from kube.pods import podutil
from kubelet.probes.actions import Asker
from kubelet.probes.state import ProbeState
from kubelet.runtimes.base import ContainerState

if TYPE_CHECKING:
    from kube.shapes import ContainerLike, ContainerStatus, PodLike

VERDICTS = {"startup": "started", "readiness": "ready"}  # as a container's status tells them
EAGER = 0.2
Unhealthy = Callable[[str, str], None]


def probes_of(container: ContainerLike) -> dict[str, Json]:
    """The probes that a container has, by kind."""
    found = {
        "startup": container.get("startupProbe"),
        "readiness": container.get("readinessProbe"),
        "liveness": container.get("livenessProbe"),
    }
    return {kind: probe for kind, probe in found.items() if probe}


class Probed:
    """One start of one container, and the verdicts on it."""

    def __init__(
        self,
        container: ContainerLike,
        run: ContainerState,
        asker: Asker,
        changed: Callable[[], None],
        say: Unhealthy,
        reported: ContainerStatus,
    ):
        """`reported` is the container's status as the API holds it."""
        self.id = run.id
        self.failed = ""
        self._container, self._run, self._asker, self._changed, self._say = container, run, asker, changed, say
        self._probes = probes_of(container)
        self._states = {kind: ProbeState.of(kind, probe) for kind, probe in self._probes.items()}
        # A kubelet that starts anew goes on from the verdicts of the one before: its restart stops no service.
        if reported.get("containerID", "").endswith(f"//{self.id}"):
            for kind, field in VERDICTS.items():
                if kind in self._states and reported.get(field):
                    self._states[kind].verdict = True
        self._tasks = {kind: asyncio.create_task(self._watch(kind)) for kind in self._states}

    @property
    def started(self) -> bool:
        state = self._states.get("startup")
        return state is None or state.verdict

    @property
    def ready(self) -> bool:
        state = self._states.get("readiness")
        return self.started and (state is None or state.verdict)

    def close(self, *but: str) -> None:
        """Asks no more, but for these kinds."""
        for kind in self._tasks.keys() - set(but):
            self._tasks.pop(kind).cancel()

    async def _watch(self, kind: str) -> None:
        probe, state = self._probes[kind], self._states[kind]
        if kind == "startup" and state.verdict:
            return
        period = float(probe.get("periodSeconds") or 10)
        due = self._run.started_at + float(probe.get("initialDelaySeconds") or 0) - time.time()
        # A kubelet that starts anew must not ask all its containers in the same instant.
        late = random.random() * min(period, 1.0) if due < -period else 0.0
        await asyncio.sleep(max(due, late))
        if kind == "readiness":
            await self._await_first(probe, state, period)
        while True:
            if kind == "startup" or self.started:
                ok, output = await self._once(probe)
                if self._note(kind, state, ok, output):
                    return
            await asyncio.sleep(period if self.started or kind == "startup" else min(period, EAGER))

    async def _await_first(self, probe: Json, state: ProbeState, period: float) -> None:
        """Asks more often for the first period, without complaint: most programs are ready within a second."""
        until = time.time() + period - EAGER
        while time.time() < until:
            if self.started and (await self._once(probe))[0]:
                self._note("readiness", state, True, "")
                await asyncio.sleep(period)
                return
            await asyncio.sleep(EAGER)

    async def _once(self, probe: Json) -> tuple[bool, str]:
        try:
            return await self._asker.ask(self._container, probe)
        except OSError as error:
            return False, str(error)

    def _note(self, kind: str, state: ProbeState, ok: bool, output: str) -> bool:
        """Takes a result in; whether this probe has nothing more to ask."""
        before = state.verdict
        if not ok:
            self._say(self._container["name"], f"{kind.capitalize()} probe failed: {output}")
        if not state.record(ok):
            return False
        if not ok and kind != "readiness":
            self.failed = kind
        if state.verdict != before or self.failed:
            self._changed()
        return bool(self.failed) or (kind == "startup" and ok)


class PodProbes:
    """`say(container, message)` reports a failed probe; `changed()` a changed verdict."""

    def __init__(self, changed: Callable[[], None], say: Unhealthy) -> None:
        self._changed, self._say = changed, say
        self._probed: dict[str, Probed] = {}

    def sync(self, pod: PodLike, running: dict[str, ContainerState], asker: Asker, ending: bool = False) -> None:
        """Probes exactly the containers in `running` (name to its current start); of a pod that ends only readiness, for it
        may serve until it is gone."""
        for name, probed in list(self._probed.items()):
            if name not in running or running[name].id != probed.id:
                probed.close()
                del self._probed[name]
        for name, run in running.items():
            if name not in self._probed:
                container = podutil.container(pod, name) or {"name": name}
                reported = podutil.reported(pod, name) or {}
                self._probed[name] = Probed(container, run, asker, self._changed, self._say, reported)
            if ending:
                self._probed[name].close("readiness")

    def started(self) -> dict[str, bool]:
        return {name: probed.started for name, probed in self._probed.items()}

    def ready(self) -> dict[str, bool]:
        return {name: probed.ready for name, probed in self._probed.items()}

    def failed(self) -> dict[str, str]:
        """Containers that have to be restarted, and the kind of probe that says so."""
        return {name: probed.failed for name, probed in self._probed.items() if probed.failed}

    def close(self) -> None:
        for probed in self._probed.values():
            probed.close()
        self._probed.clear()
