"""The status of a pod, computed from its spec, what runs, and what the probes say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kube import clock
from kube.objects import Json
from kube.pods import podutil
from kube.pods.restarts import restarts
from kubelet.runtimes.base import ContainerState, PodState

if TYPE_CHECKING:
    from kube.shapes import Condition, ContainerLike, PodLike, ResourceRequirements, Truth

OWN_CONDITIONS = (
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
    "PodResizePending",
    "PodResizeInProgress",
)


@dataclass
class Observed:
    """What the status is made of, beside the pod.

    `waiting` gives (reason, message) for containers that are held back; `ready` and `started` are the probes' word on
    running containers; `messages` are termination messages and `resources` those in force, by container id;
    `granted` gives a container with what the node sets aside for it; `resize_pending` (reason, message) tells why that is not
    what the spec asks for, `resizing` that it is not in force yet, `resize_error` why it cannot be.
    """

    state: PodState | None
    host_ip: str
    runtime: str
    now: float
    waiting: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    ready: Mapping[str, bool] = field(default_factory=dict)
    started: Mapping[str, bool] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, ResourceRequirements] = field(default_factory=dict)
    phase: str | None = None
    reason: str = ""
    message: str = ""
    granted: Callable[[ContainerLike], ContainerLike] = lambda container: container
    resize_error: str = ""
    resize_pending: tuple[str, str] | None = None
    resizing: bool = False
    stopping: bool = False


def compute(pod: PodLike, seen: Observed) -> Json:
    """The whole status as it is to be written; fields that others own are taken over from `pod`."""
    before = pod.get("status") or {}
    inits = [_container(pod, c, seen, init=True) for c in podutil.inits(pod)]
    mains = [_container(pod, c, seen, init=False) for c in podutil.mains(pod)]
    phase = seen.phase or _phase(pod, inits, mains)
    status: Json = {
        "observedGeneration": pod["metadata"].get("generation", 1),
        "phase": phase,
        "conditions": _conditions(pod, seen, phase, inits, mains),
        "hostIP": seen.host_ip,
        "hostIPs": [{"ip": seen.host_ip}],
        "startTime": before.get("startTime") or clock.stamp(seen.now),
        "containerStatuses": mains,
    }
    if inits:
        status["initContainerStatuses"] = inits
    ephemerals = [_container(pod, c, seen, init=False) for c in podutil.ephemerals(pod)]
    for one in ephemerals:  # they have no probes: they are never ready, and nothing waits for their start
        del one["started"]
        one["ready"] = False
    if ephemerals:
        status["ephemeralContainerStatuses"] = ephemerals
    if before.get("qosClass"):
        status["qosClass"] = before["qosClass"]
    if seen.state is None:
        address = before.get("podIP") or ""
    else:
        address = seen.host_ip if pod["spec"].get("hostNetwork") else seen.state.ip
    if address:
        status.update(podIP=address, podIPs=[{"ip": address}])
    if seen.reason:
        status.update(reason=seen.reason, message=seen.message)
    return status


# -- containers ---------------------------------------------------------------------------------------------------------


def _container(pod: PodLike, container: ContainerLike, seen: Observed, init: bool) -> Json:
    name = container["name"]
    found = seen.state.latest(name) if seen.state else None
    state, last, run = _states(pod, name, found, seen)
    reported = podutil.reported(pod, name) or {}
    running = bool(found and found.running)
    if init and not podutil.is_sidecar(container):
        ready = "terminated" in state and state["terminated"].get("exitCode") == 0
    else:
        ready = running and seen.ready.get(name, False)
    status: Json = {
        "name": name,
        "image": container["image"],
        "imageID": container["image"] if run else "",
        "state": state,
        "lastState": last,
        "ready": ready,
        "restartCount": run.attempt if run else int(reported.get("restartCount") or 0),
        "started": running and seen.started.get(name, False),
    }
    if run:
        status["containerID"] = f"{seen.runtime}://{run.id}"
    if container.get("volumeMounts"):
        status["volumeMounts"] = [
            {"name": mount["name"], "mountPath": mount["mountPath"]}
            | ({"readOnly": True, "recursiveReadOnly": "Disabled"} if mount.get("readOnly") else {})
            for mount in container["volumeMounts"]
        ]
    asked = seen.granted(container).get("resources") or {}
    resources = seen.resources.get(run.id, asked) if run else asked
    if resources.get("limits") or resources.get("requests"):
        status["resources"] = {k: v for k, v in resources.items() if k in ("limits", "requests") and v}
    if asked.get("requests"):
        status["allocatedResources"] = asked["requests"]
    return status


def _states(
    pod: PodLike, name: str, found: ContainerState | None, seen: Observed
) -> tuple[Mapping[str, Any], Mapping[str, Any], ContainerState | None]:
    """(state, lastState, the start they tell of)."""
    reported = podutil.reported(pod, name) or {}
    if found is None:
        if (seen.phase or podutil.finished(pod)) and (reported.get("state") or {}).get("terminated"):
            return reported["state"], reported.get("lastState") or {}, None
        if seen.phase and seen.stopping:
            return {"waiting": {"reason": _held_back(pod)}}, {}, None
        return {"waiting": _waiting(pod, name, seen)}, reported.get("lastState") or {}, None
    before = seen.state.before(found) if seen.state else None
    # The start before may have been removed from disk; the API still knows it.
    last: Mapping[str, Any] = {"terminated": terminated(before, seen)} if before else reported.get("lastState") or {}
    if found.running:
        return {"running": {"startedAt": clock.stamp(found.started_at)}}, last, found
    ended = terminated(found, seen)
    if name in seen.waiting and not seen.stopping and not seen.phase:
        return {"waiting": _waiting(pod, name, seen)}, {"terminated": ended}, found
    return {"terminated": ended}, last, found


def _held_back(pod: PodLike) -> str:
    """Why a container that never ran waits, when nothing else is known."""
    return "PodInitializing" if podutil.inits(pod) else "ContainerCreating"


def _waiting(pod: PodLike, name: str, seen: Observed) -> Json:
    if name in seen.waiting:
        reason, message = seen.waiting[name]
        return {"reason": reason, "message": message} if message else {"reason": reason}
    return {"reason": _held_back(pod)}


def terminated(state: ContainerState, seen: Observed) -> Json:
    result: Json = {
        "exitCode": state.exit_code,
        "reason": state.reason or ("Completed" if state.exit_code == 0 else "Error"),
        "startedAt": clock.stamp(state.started_at),
        "finishedAt": clock.now() if state.finished_at is None else clock.stamp(state.finished_at),
        "containerID": f"{seen.runtime}://{state.id}",
    }
    message = state.message or seen.messages.get(state.id, "")
    if message:
        result["message"] = message
    return result


# -- the pod ------------------------------------------------------------------------------------------------------------


def _phase(pod: PodLike, inits: list[Json], mains: list[Json]) -> str:
    if podutil.finished(pod):
        return podutil.phase(pod)
    if not _initialized(pod, inits, mains):
        ends = [(c, s["state"].get("terminated") or {}) for c, s in zip(podutil.inits(pod), inits, strict=True)]
        failed = any(end.get("exitCode") and not restarts(pod["spec"], c, end["exitCode"]) for c, end in ends)
        return "Failed" if failed else "Pending"
    ended = [
        (c, s["state"].get("terminated") or s["lastState"].get("terminated"))
        for c, s in zip(podutil.mains(pod), mains, strict=True)
        if "running" not in s["state"]
    ]
    codes = [(container, end["exitCode"]) for container, end in ended if end is not None]
    if len(codes) < len(ended):
        return "Pending"
    if len(codes) < len(mains) or any(restarts(pod["spec"], container, code) for container, code in codes):
        return "Running"
    return "Failed" if any(code for _, code in codes) else "Succeeded"


def _initialized(pod: PodLike, inits: list[Json], mains: list[Json]) -> bool:
    if any("running" in s["state"] or "terminated" in s["state"] for s in mains):
        return True
    for container, status in zip(podutil.inits(pod), inits, strict=True):
        done = status["started"] if podutil.is_sidecar(container) else status["ready"]
        if not done:
            return False
    return True


def _conditions(pod: PodLike, seen: Observed, phase: str, inits: list[Json], mains: list[Json]) -> list[Condition]:
    old: dict[str, Condition] = {c["type"]: c for c in (pod.get("status") or {}).get("conditions") or ()}
    network = seen.state is not None and seen.state.ready and phase not in podutil.FINISHED
    containers = _containers_ready(pod, phase, inits, mains)
    wanted = {
        "PodReadyToStartContainers": (network, "", ""),
        "Initialized": _initialized_condition(pod, phase, inits, mains),
        "Ready": _with_gates(pod, old, containers),
        "ContainersReady": containers,
    }
    result = [_condition(pod, kind, *wanted[kind], old.get(kind), seen.now) for kind in wanted]
    result.append(old.get("PodScheduled") or _condition(pod, "PodScheduled", True, "", "", None, seen.now))
    if seen.resize_pending and phase not in podutil.FINISHED:
        kind = "PodResizePending"
        result.append(_condition(pod, kind, True, *seen.resize_pending, old.get(kind), seen.now))
    if (seen.resize_error or seen.resizing) and phase not in podutil.FINISHED:
        kind, reason = "PodResizeInProgress", "Error" if seen.resize_error else ""
        result.append(_condition(pod, kind, True, reason, seen.resize_error, old.get(kind), seen.now))
    return result + [c for kind, c in old.items() if kind not in OWN_CONDITIONS]


def _condition(
    pod: PodLike, kind: str, value: bool, reason: str, message: str, old: Condition | None, now: float
) -> Condition:
    status: Truth = "True" if value else "False"
    same = old is not None and old["status"] == status
    result: Condition = {
        "type": kind,
        "status": status,
        "observedGeneration": pod["metadata"].get("generation", 1),
        "lastProbeTime": None,
        "lastTransitionTime": old["lastTransitionTime"] if same and old else clock.stamp(now),
    }
    if reason:
        result["reason"] = reason
    if message:
        result["message"] = message
    return result


def _initialized_condition(pod: PodLike, phase: str, inits: list[Json], mains: list[Json]) -> tuple[bool, str, str]:
    if phase == "Succeeded":
        return True, "PodCompleted", ""
    if _initialized(pod, inits, mains):
        return True, "", ""
    names = " ".join(s["name"] for s in inits if not (s["ready"] or s["started"]))
    return False, "ContainersNotInitialized", f"containers with incomplete status: [{names}]"


def _containers_ready(pod: PodLike, phase: str, inits: list[Json], mains: list[Json]) -> tuple[bool, str, str]:
    if phase == "Succeeded":
        return False, "PodCompleted", ""
    if phase == "Failed":
        return False, "PodFailed", ""
    sidecars = [s for c, s in zip(podutil.inits(pod), inits, strict=True) if podutil.is_sidecar(c)]
    names = [s["name"] for s in sidecars + mains if not s["ready"]]
    if names:
        return False, "ContainersNotReady", f"containers with unready status: [{' '.join(names)}]"
    return True, "", ""


def _with_gates(pod: PodLike, old: Mapping[str, Condition], containers: tuple[bool, str, str]) -> tuple[bool, str, str]:
    if not containers[0]:
        return containers
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    closed = [gate for gate in gates if (old.get(gate) or {}).get("status") != "True"]
    if not closed:
        return containers
    texts = [
        f'corresponding condition of pod readiness gate "{gate}" '
        + ('does not have status "True".' if gate in old else "does not exist.")
        for gate in closed
    ]
    return False, "ReadinessGatesNotReady", " ".join(texts)
