"""What a person reads of a pod in one line, as `kubectl get pods` counts and words it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kube import clock, conditions
from kube.objects import Json
from kube.pods import podutil

if TYPE_CHECKING:
    from kube.shapes import ContainerStatus, PodLike, PodSpecLike

# Reasons to wait that belong to a normal start.
STARTING = frozenset({"ContainerCreating", "PodInitializing", "", None})


@dataclass(slots=True)
class Summary:
    """`word` is the phase, or why the pod is not running as it should; `ready` of `total` containers are ready (sidecars
    count); they were restarted `restarts` times, at last at `last` (epoch seconds, 0 where that is not known)."""

    word: str
    total: int
    ready: int = 0
    restarts: int = 0
    last: float = 0.0

    def _count(self, status: ContainerStatus | Json) -> None:
        if restarts := status.get("restartCount"):
            self.restarts += restarts
        if stamp := ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt"):
            self.last = max(self.last, clock.parse(stamp))


def summarize(pod: PodLike) -> Summary:
    """The summary of a pod."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    word = status.get("reason") or status.get("phase") or ""
    scheduled = conditions.find(status, "PodScheduled")
    if scheduled and scheduled.get("reason") == "SchedulingGated":
        word = "SchedulingGated"
    found = Summary(word, len(podutil.lasting(spec)))
    if not (spec.get("initContainers") and _is_initializing(pod, spec, found)):
        running = False
        for one in reversed(status.get("containerStatuses") or ()):
            found._count(one)
            state = one.get("state") or {}
            if word := of_state(state):
                found.word = word
            elif one.get("ready") and state.get("running") is not None:
                running = True
                found.ready += 1
        if found.word == "Completed" and running:
            found.word = "Running" if podutil.ready(pod) else "NotReady"
    if podutil.deleting(pod):
        if status.get("reason") == "NodeLost":
            found.word = "Unknown"
        elif not podutil.finished(pod):
            found.word = "Terminating"
    return found


def of_state(state: Mapping[str, Any]) -> str:
    """Why a container does not run, from its `state`; "" while it runs, and before anybody says."""
    waiting = (state.get("waiting") or {}).get("reason")
    if waiting:
        return str(waiting)
    terminated = state.get("terminated")
    if terminated is None:
        return ""
    if reason := terminated.get("reason"):
        return str(reason)
    if signal := terminated.get("signal"):
        return f"Signal:{signal}"
    return f"ExitCode:{terminated.get('exitCode') or 0}"


def of_init_state(state: Mapping[str, Any]) -> str:
    """As `of_state`, of an init container."""
    word = of_state(state)
    return f"Init:{word}" if word else ""


def _is_initializing(pod: PodLike, spec: PodSpecLike, found: Summary) -> bool:
    """Whether init containers still hold the pod; fills in what they say, of sidecars only once they do not."""
    inits = spec["initContainers"]
    sidecars = {container["name"] for container in inits if podutil.is_sidecar(container)}
    all_of_them, word = Summary("", 0), ""
    for i, one in enumerate((pod.get("status") or {}).get("initContainerStatuses") or ()):
        sidecar, state = one.get("name") in sidecars, one.get("state") or {}
        all_of_them._count(one)
        if sidecar:
            found._count(one)
        terminated = state.get("terminated")
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if sidecar and one.get("started"):
            found.ready += bool(one.get("ready"))
            continue
        waits = terminated is None and (state.get("waiting") or {}).get("reason") in (None, "", "PodInitializing")
        word = f"Init:{i}/{len(inits)}" if waits else of_init_state(state)
        break
    if not word:
        return False
    found.word = word
    if conditions.is_true(pod.get("status"), "Initialized"):
        return False
    found.restarts, found.last = all_of_them.restarts, all_of_them.last
    return True
