"""Resources that change while containers run (`kubectl patch --subresource resize`): the limits in force follow the spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kube.pods import podutil
from kubelet.containers import limits
from kubelet.runtimes.base import ContainerState, PodState

if TYPE_CHECKING:
    from kube.shapes import ContainerLike, ResourceRequirements
    from kubelet.worker import PodWorker


class Resizer:
    """Belongs to one worker; knows which resources each running container has, by its id."""

    def __init__(self, worker: PodWorker) -> None:
        self._worker = worker
        self._given: dict[str, ResourceRequirements] = {}
        self._errors: dict[str, str] = {}

    @property
    def given(self) -> Mapping[str, ResourceRequirements]:
        return self._given

    @property
    def error(self) -> str:
        """Why resources are not in force that the spec asks for; "" when they are."""
        return "; ".join(self._errors.values())

    def started(self, identifier: str, container: ContainerLike) -> None:
        """A container started with what its spec asks for."""
        self._given[identifier] = container.get("resources") or {}

    async def follow(self, state: PodState | None) -> None:
        """Changes what differs; what cannot be changed now is tried again at the next look."""
        running = self._worker.running(state)
        ids = {run.id for run in running.values()}
        self._given = {identifier: found for identifier, found in self._given.items() if identifier in ids}
        self._errors = {name: text for name, text in self._errors.items() if name in running}
        for name, run in running.items():
            container = podutil.container(self._worker.pod, name) or {"name": name}
            if self._given.get(run.id) != (container.get("resources") or {}) and name not in self._worker.stops:
                await self._change(container, run, state)

    async def _change(self, container: ContainerLike, run: ContainerState, state: PodState | None) -> None:
        worker, name, known = self._worker, run.name, self._given.get(run.id)
        if known is not None and _needs_restart(container, known):
            message = f"Container {name} resize requires restart, will be restarted"
            worker.stop(name, message, podutil.grace_period(worker.pod), state)
            return
        try:
            # Also of a container that an earlier kubelet started: it may have died before it came to this.
            await worker.tools.runtime.limit(worker.uid, name, run.attempt, limits(container))
        except OSError as error:
            if self._errors.get(name) != str(error):
                worker.say("Warning", "ResizeError", f"Container {name} cannot be resized: {error}", name)
            self._errors[name] = str(error)
            return
        self._errors.pop(name, None)
        self._given[run.id] = container.get("resources") or {}
        if known is not None:
            worker.say("Normal", "ResizeCompleted", f"Resized container {name}", name)


def _needs_restart(container: ContainerLike, known: Mapping[str, Any]) -> bool:
    """Whether a resource changed whose resizePolicy asks for a restart."""
    now: Mapping[str, Any] = container.get("resources") or {}
    return any(
        (now.get(which) or {}).get(policy["resourceName"]) != (known.get(which) or {}).get(policy["resourceName"])
        for policy in container.get("resizePolicy") or ()
        if policy.get("restartPolicy") == "RestartContainer"
        for which in ("requests", "limits")
    )
