"""Resources that change while containers run (`kubectl patch --subresource resize`).

The node sets aside what the spec asks for where it can (`granted`), and the limits in force follow that. What it cannot
give waits, and the pod keeps what it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kube.pods import podutil
from kubelet.admission import Refusal
from kubelet.containers import limits
from kubelet.runtimes.base import ContainerState, PodState

if TYPE_CHECKING:
    from kube.shapes import ContainerLike, PodLike, ResourceRequirements
    from kubelet.worker import PodWorker


class Resizer:
    """Belongs to one worker; knows which resources each running container has, by its id."""

    def __init__(self, worker: PodWorker) -> None:
        self._worker = worker
        self._given: dict[str, ResourceRequirements] = {}
        self._errors: dict[str, str] = {}
        self._granted = {c["name"]: _before(worker.pod, c) for c in podutil.all_containers(worker.pod["spec"])}
        self.pending: Refusal | None = None  # why the pod does not have what it asks for
        self.changing = False  # it is set aside, and not yet in force

    @property
    def given(self) -> Mapping[str, ResourceRequirements]:
        return self._given

    @property
    def error(self) -> str:
        """Why resources are not in force that the spec asks for; "" when they are."""
        return "; ".join(self._errors.values())

    def granted(self, container: ContainerLike) -> ContainerLike:
        """A container with the resources that the node sets aside for it."""
        resources = self._granted.get(container["name"], container.get("resources") or {})
        return container if resources == (container.get("resources") or {}) else {**container, "resources": resources}

    def pod(self) -> PodLike:
        """The pod with what the node sets aside for it."""
        spec: Any = self._worker.pod["spec"]
        parts = {name: [self.granted(c) for c in spec.get(name) or ()] for name in ("initContainers", "containers")}
        return {**self._worker.pod, "spec": {**spec, **parts}}

    def _decide(self) -> None:
        """Set aside what the spec asks for, or tell why not."""
        worker = self._worker
        wanted = {c["name"]: c.get("resources") or {} for c in podutil.all_containers(worker.pod["spec"])}
        before, self.pending = self.pending, None
        if wanted == self._granted:
            return
        self.pending = worker.tools.refuse_resize(worker)
        if self.pending is None:
            self._granted = wanted
        elif before != self.pending:
            reason, message = self.pending
            worker.say("Warning", f"Resize{reason}", f"Pod resize {reason}: {message}")

    def started(self, identifier: str, container: ContainerLike) -> None:
        """A container started with these resources."""
        self._given[identifier] = container.get("resources") or {}

    async def follow(self, state: PodState | None) -> None:
        """Changes what differs; what cannot be changed now is tried again at the next look."""
        self._decide()
        running = self._worker.running(state)
        ids = {run.id for run in running.values()}
        self._given = {identifier: found for identifier, found in self._given.items() if identifier in ids}
        self._errors = {name: text for name, text in self._errors.items() if name in running}
        for name, run in running.items():
            container = self.granted(podutil.container(self._worker.pod, name) or {"name": name})
            if self._given.get(run.id) != (container.get("resources") or {}) and name not in self._worker.stops:
                await self._change(container, run, state)
        found = [(run.id, podutil.container(self._worker.pod, name)) for name, run in running.items()]
        self.changing = any(c and self._given.get(i) != (self.granted(c).get("resources") or {}) for i, c in found)

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


def _before(pod: PodLike, container: ContainerLike) -> ResourceRequirements:
    """What an earlier kubelet had set aside for a container, as the API tells it; of one that never ran, what it asks for."""
    asked: Any = container.get("resources") or {}
    reported: Any = podutil.reported(pod, container["name"]) or {}
    if not reported.get("containerID") or "resources" not in reported:
        return asked  # type: ignore[no-any-return]
    kept = {**asked, **reported["resources"]}
    if reported.get("allocatedResources"):
        kept["requests"] = reported["allocatedResources"]
    return kept  # type: ignore[return-value]


def _needs_restart(container: ContainerLike, known: Mapping[str, Any]) -> bool:
    """Whether a resource changed whose resizePolicy asks for a restart."""
    now: Mapping[str, Any] = container.get("resources") or {}
    return any(
        (now.get(which) or {}).get(policy["resourceName"]) != (known.get(which) or {}).get(policy["resourceName"])
        for policy in container.get("resizePolicy") or ()
        if policy.get("restartPolicy") == "RestartContainer"
        for which in ("requests", "limits")
    )
