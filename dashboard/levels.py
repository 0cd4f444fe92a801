"""The health of an object, in one of five levels, and the one-word reason: what colours a row and fills the overview.

level, reason = judge("pods", pod)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from kube.objects import Json
from kube.pods import podutil
from kube.pods.summary import STARTING, of_init_state, of_state, summarize

if TYPE_CHECKING:
    from kube.shapes import Condition, NodeLike, PodLike

Verdict = tuple[int, str]

OK, PROGRESS, BAD, DONE, NONE = 0, 1, 2, 3, 4


def judge(storage: str, obj: Json) -> Verdict:
    """The level and reason of any object; kinds without a notion of health are NONE."""
    if judged := _JUDGES.get(storage):
        return judged(obj)
    found = conditions(obj)
    for name in ("Ready", "Available", "Established"):
        state = found.get(name, {}).get("status")
        if state in ("True", "False"):
            return (OK, name) if state == "True" else (BAD, found[name].get("reason") or f"Not{name}")
    return NONE, ""


def conditions(obj: Mapping[str, Any]) -> dict[str, Condition]:
    """The object's status conditions by type; tolerant of anything a custom resource may hold there."""
    found = (obj.get("status") or {}).get("conditions") if isinstance(obj.get("status"), dict) else None
    return {
        c["type"]: cast("Condition", c) for c in found or () if isinstance(c, dict) and isinstance(c.get("type"), str)
    }


def _pod(pod: PodLike) -> Verdict:
    """The reason is the word that kubectl shows, but where that is no more than a phase and a condition tells more."""
    phase = podutil.phase(pod)
    if not podutil.active(pod):
        level = PROGRESS if podutil.deleting(pod) else DONE if phase == "Succeeded" else BAD
        return level, summarize(pod).word
    if trouble := _container_trouble(pod):
        return BAD, trouble
    if phase == "Running" and podutil.ready(pod):
        return OK, "Running"
    scheduled = conditions(pod).get("PodScheduled")
    if phase == "Pending" and scheduled and scheduled.get("status") == "False":
        return BAD, scheduled.get("reason") or "Unschedulable"
    word = summarize(pod).word or phase
    return PROGRESS, "NotReady" if word == "Running" else word


def _container_trouble(pod: PodLike) -> str:
    """Why a container does not run that should, in kubectl's words; "" where all do."""
    restart_always = (pod.get("spec") or {}).get("restartPolicy", "Always") == "Always"
    for one, init in podutil.statuses(pod):
        state = one.get("state") or {}
        ended = state.get("terminated")
        failed = ended and ended.get("exitCode") and (init or restart_always)
        if failed or ("waiting" in state and (state["waiting"] or {}).get("reason") not in STARTING):
            return of_init_state(state) if init else of_state(state)
    return ""


def _node(node: NodeLike) -> Verdict:
    found = conditions(node)
    ready = found.get("Ready", {}).get("status")
    if ready != "True":
        return BAD, "NotReady" if ready == "False" else "Unknown"
    for name in ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"):
        if found.get(name, {}).get("status") == "True":
            return BAD, name
    return (PROGRESS, "SchedulingDisabled") if (node.get("spec") or {}).get("unschedulable") else (OK, "Ready")


def _replicas(wanted_field: str, ready_field: str) -> Callable[[Json], Verdict]:
    def judged(obj: Json) -> Verdict:
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        wanted = status.get(wanted_field, 0) if wanted_field.startswith("desired") else spec.get(wanted_field, 1)
        ready = status.get(ready_field) or 0
        if wanted == 0 and ready == 0:
            return DONE, "Scaled to 0"
        if ready >= wanted:
            return OK, "Available"
        return (BAD, "Unavailable") if ready == 0 else (PROGRESS, f"{ready}/{wanted} ready")

    return judged


def _deployment(obj: Json) -> Verdict:
    found = conditions(obj)
    if found.get("Progressing", {}).get("reason") == "ProgressDeadlineExceeded":
        return BAD, "ProgressDeadlineExceeded"
    if found.get("ReplicaFailure", {}).get("status") == "True":
        return BAD, found["ReplicaFailure"].get("reason") or "ReplicaFailure"
    if found.get("Available", {}).get("status") == "False":
        return BAD, found["Available"].get("reason") or "Unavailable"
    return _replicas("replicas", "availableReplicas")(obj)


def _job(obj: Json) -> Verdict:
    found = conditions(obj)
    if found.get("Failed", {}).get("status") == "True":
        return BAD, found["Failed"].get("reason") or "Failed"
    if found.get("Complete", {}).get("status") == "True":
        return DONE, "Complete"
    return (NONE, "Suspended") if (obj.get("spec") or {}).get("suspend") else (PROGRESS, "Running")


def _phase(good: str, *middling: str) -> Callable[[Json], Verdict]:
    def judged(obj: Json) -> Verdict:
        phase = (obj.get("status") or {}).get("phase") or ""
        return (OK if phase == good else PROGRESS if phase in middling or not phase else BAD), phase

    return judged


_JUDGES: dict[str, Callable[[Json], Verdict]] = {
    "pods": _pod,
    "nodes": _node,
    "deployments.apps": _deployment,
    "statefulsets.apps": _replicas("replicas", "readyReplicas"),
    "daemonsets.apps": _replicas("desiredNumberScheduled", "numberReady"),
    "replicasets.apps": _replicas("replicas", "readyReplicas"),
    "replicationcontrollers": _replicas("replicas", "readyReplicas"),
    "jobs.batch": _job,
    "events": lambda obj: (BAD, "Warning") if obj.get("type") == "Warning" else (NONE, obj.get("type") or ""),
    "persistentvolumeclaims": _phase("Bound", "Pending"),
    "persistentvolumes": _phase("Bound", "Available", "Released", "Pending"),
    "namespaces": _phase("Active", "Terminating"),
}
