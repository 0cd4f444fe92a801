"""The printed row of a pod: what `kubectl get pods` shows."""

from __future__ import annotations

from typing import Any

from kube import clock
from kube import columns as c
from kube.objects import Json

COLUMNS = (
    c.NAME,
    c.column("Ready", description="Containers that are ready, of all."),
    c.column("Status", description="The phase of the pod, or why it is not running as it should."),
    c.column("Restarts", description="How often containers were restarted, and when last."),
    c.AGE,
    c.column("IP", description="Address of the pod.", wide=True),
    c.column("Node", description="The node it is assigned to.", wide=True),
    c.column("Nominated Node", description="The node where pods are preempted for it.", wide=True),
    c.column("Readiness Gates", description="Gates that are open, of all.", wide=True),
)


class _Tally:
    """What is counted over the containers of a pod."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.ready = self.restarts = self.sidecar_restarts = 0
        self.last = self.sidecar_last = 0.0

    def count(self, status: Json, sidecar: bool) -> None:
        restarts, last = status.get("restartCount") or 0, _last_finish(status)
        self.restarts += restarts
        self.last = max(self.last, last)
        if sidecar:
            self.sidecar_restarts += restarts
            self.sidecar_last = max(self.sidecar_last, last)


def _last_finish(status: Json) -> float:
    stamp = ((status.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
    return clock.parse(stamp) if stamp else 0.0


def cells(obj: Json, now: float) -> list[Any]:
    """The row, in the order of `COLUMNS`."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    tally = _Tally(len(spec.get("containers") or ()))
    reason = _reason(spec, status, tally)
    if meta.get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            reason = "Unknown"
        elif status.get("phase") not in ("Succeeded", "Failed"):
            reason = "Terminating"
    restarts = str(tally.restarts)
    if tally.restarts and tally.last:
        restarts = f"{tally.restarts} ({clock.human(now - tally.last)} ago)"
    addresses = status.get("podIPs")
    ip = addresses[0].get("ip") if addresses else status.get("podIP")
    return [
        meta["name"],
        f"{tally.ready}/{tally.total}",
        reason,
        restarts,
        c.age(obj, now),
        ip or c.NONE,
        spec.get("nodeName") or c.NONE,
        status.get("nominatedNodeName") or c.NONE,
        _gates(spec, status),
    ]


def _reason(spec: Json, status: Json, tally: _Tally) -> str:
    """Why the pod is as it is, in one word; fills in the tally."""
    reason = status.get("reason") or status.get("phase") or ""
    conditions = status.get("conditions") or ()
    if any(x.get("type") == "PodScheduled" and x.get("reason") == "SchedulingGated" for x in conditions):
        reason = "SchedulingGated"
    initializing, reason = _init_reason(spec, status, tally, reason)
    if initializing and not _is_initialized(conditions):
        return reason
    tally.restarts, tally.last = tally.sidecar_restarts, tally.sidecar_last
    running = False
    for container in reversed(status.get("containerStatuses") or ()):
        tally.count(container, sidecar=False)
        found = _container_reason(container.get("state") or {})
        if found:
            reason = found
        elif container.get("ready") and (container.get("state") or {}).get("running") is not None:
            running = True
            tally.ready += 1
    if reason == "Completed" and running:
        ready = any(x.get("type") == "Ready" and x.get("status") == "True" for x in conditions)
        return "Running" if ready else "NotReady"
    return reason


def _is_initialized(conditions: Any) -> bool:
    return any(x.get("type") == "Initialized" and x.get("status") == "True" for x in conditions)


def _init_reason(spec: Json, status: Json, tally: _Tally, reason: str) -> tuple[bool, str]:
    """Whether init containers still hold the pod, and the reason that the first of them gives."""
    inits = spec.get("initContainers") or []
    sidecars = {container["name"] for container in inits if container.get("restartPolicy") == "Always"}
    tally.total += len(sidecars)
    for i, container in enumerate(status.get("initContainerStatuses") or ()):
        sidecar = container.get("name") in sidecars
        tally.count(container, sidecar)
        state = container.get("state") or {}
        terminated = state.get("terminated")
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if sidecar and container.get("started"):
            if container.get("ready"):
                tally.ready += 1
            continue
        if terminated is not None:
            return True, "Init:" + _terminated_reason(terminated)
        waiting = (state.get("waiting") or {}).get("reason")
        if waiting and waiting != "PodInitializing":
            return True, f"Init:{waiting}"
        return True, f"Init:{i}/{len(inits)}"
    return False, reason


def _container_reason(state: Json) -> str:
    waiting = (state.get("waiting") or {}).get("reason")
    if waiting:
        return waiting
    terminated = state.get("terminated")
    return _terminated_reason(terminated) if terminated is not None else ""


def _terminated_reason(terminated: Json) -> str:
    if reason := terminated.get("reason"):
        return reason
    if signal := terminated.get("signal"):
        return f"Signal:{signal}"
    return f"ExitCode:{terminated.get('exitCode') or 0}"


def _gates(spec: Json, status: Json) -> str:
    gates = spec.get("readinessGates") or ()
    if not gates:
        return c.NONE
    true = {x.get("type") for x in status.get("conditions") or () if x.get("status") == "True"}
    return f"{sum(gate.get('conditionType') in true for gate in gates)}/{len(gates)}"
