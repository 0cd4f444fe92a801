"""The status of a deployment: counters, and the conditions Available, Progressing and ReplicaFailure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from controllers.deployment.sizes import max_unavailable, replicas, stat, total
from kube import clock, conditions
from kube.objects import Json

if TYPE_CHECKING:
    from kube.shapes import Condition

NO_DEADLINE = 2**31 - 1
AVAILABLE, PROGRESSING, FAILURE = "Available", "Progressing", "ReplicaFailure"
DONE, TIMED_OUT, PAUSED, RESUMED = (
    "NewReplicaSetAvailable",
    "ProgressDeadlineExceeded",
    "DeploymentPaused",
    "DeploymentResumed",
)


def has_deadline(d: Json) -> bool:
    return d["spec"].get("progressDeadlineSeconds") not in (None, NO_DEADLINE)


def counted(d: Json, sets: Sequence[Json], new: Json | None, now: float) -> Json:
    """The counters and the Available condition; other conditions as they were."""
    old = d.get("status") or {}
    available = sum(stat(rs, "availableReplicas") for rs in sets)
    counts = {
        "observedGeneration": d["metadata"].get("generation", 0),
        "replicas": sum(stat(rs, "replicas") for rs in sets),
        "updatedReplicas": stat(new, "replicas") if new else 0,
        "readyReplicas": sum(stat(rs, "readyReplicas") for rs in sets),
        "availableReplicas": available,
        "unavailableReplicas": max(total(sets) - available, 0),
    }
    status: Json = {name: value for name, value in counts.items() if value}
    status["terminatingReplicas"] = sum(stat(rs, "terminatingReplicas") for rs in sets)
    if old.get("collisionCount") is not None:
        status["collisionCount"] = old["collisionCount"]
    status["conditions"] = [dict(condition) for condition in old.get("conditions") or ()]
    if available >= replicas(d) - max_unavailable(d):
        value = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        value = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    conditions.put(status, AVAILABLE, *value, now, "lastUpdateTime")
    return status


def complete(d: Json, status: Json) -> bool:
    """Whether all wanted replicas are updated and available, and no others are left."""
    wanted = replicas(d)
    counters = ("updatedReplicas", "replicas", "availableReplicas")
    observed = status.get("observedGeneration", 0) >= d["metadata"].get("generation", 0)
    return observed and all(status.get(name, 0) == wanted for name in counters)


def rolled_out(d: Json, sets: Sequence[Json], new: Json | None, now: float) -> Json:
    """The status during and after a rollout: the counters, the progress, the failures of replica sets."""
    status = counted(d, sets, new, now)
    current = conditions.find(status, PROGRESSING)
    finished = (
        status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and current is not None
        and current.get("reason") == DONE
    )
    if has_deadline(d) and not finished:
        _progress(d, status, new, current, now)
    _failure(status, sets, new, now)
    return status


def _progress(d: Json, status: Json, new: Json | None, current: Condition | None, now: float) -> None:
    subject = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{d["metadata"]["name"]}"'
    if complete(d, status):
        _set_progress(status, "True", DONE, f"{subject} has successfully progressed.", now)
    elif progressing(d.get("status") or {}, status):
        transition = current["lastTransitionTime"] if current and current["status"] == "True" else None
        conditions.remove(status, PROGRESSING)
        status.setdefault("conditions", [])
        _set_progress(status, "True", "ReplicaSetUpdated", f"{subject} is progressing.", now)
        if transition:
            status["conditions"][-1]["lastTransitionTime"] = transition
    elif timed_out(d, current, now):
        _set_progress(status, "False", TIMED_OUT, f"{subject} has timed out progressing.", now)


def _set_progress(status: Json, value: str, reason: str, message: str, now: float) -> None:
    conditions.put(status, PROGRESSING, value, reason, message, now, "lastUpdateTime")


def progressing(old: Json, new: Json) -> bool:
    """Whether the counters moved in the direction of the rollout."""

    def outdated(status: Json) -> int:
        number: int = status.get("replicas", 0) - status.get("updatedReplicas", 0)
        return number

    return any(
        new.get(name, 0) > old.get(name, 0) for name in ("updatedReplicas", "readyReplicas", "availableReplicas")
    ) or outdated(new) < outdated(old)


def timed_out(d: Json, current: Mapping[str, Any] | None, now: float) -> bool:
    """Whether there was no progress for longer than the deadline."""
    if current is None or current.get("reason") == DONE:
        return False
    if current.get("reason") == TIMED_OUT:
        return True
    return bool(now > clock.parse(current["lastUpdateTime"]) + d["spec"]["progressDeadlineSeconds"])


def until_deadline(d: Json, status: Json, now: float) -> float | None:
    """Seconds after which to look whether the rollout is stuck; None when that cannot be."""
    current = conditions.find(status, PROGRESSING)
    if not has_deadline(d) or current is None or current.get("reason") in (DONE, TIMED_OUT, PAUSED):
        return None
    if complete(d, status):
        return None
    left = clock.parse(current["lastUpdateTime"]) + d["spec"]["progressDeadlineSeconds"] - now
    seconds: float = max(left, 0) + 1
    return seconds


def _failure(status: Json, sets: Sequence[Json], new: Json | None, now: float) -> None:
    failures = [
        condition
        for rs in ([new] if new else []) + list(sets)
        if (condition := conditions.find(rs.get("status") or {}, FAILURE)) is not None
    ]
    if not failures:
        conditions.remove(status, FAILURE)
        return
    first = failures[0]
    conditions.put(
        status, FAILURE, first["status"], first.get("reason", ""), first.get("message", ""), now, "lastUpdateTime"
    )


def pause(d: Json, now: float) -> Json | None:
    """The status with the pause or its end noted, None when there is nothing to note.

    While a deployment is paused its deadline does not run.
    """
    if not has_deadline(d):
        return None
    status = {**(d.get("status") or {})}
    current = conditions.find(status, PROGRESSING)
    if current is not None and current.get("reason") == TIMED_OUT:
        return None
    noted = current is not None and current.get("reason") == PAUSED
    if d["spec"].get("paused") and not noted:
        _set_progress(status, "Unknown", PAUSED, "Deployment is paused", now)
        return status
    if not d["spec"].get("paused") and noted:
        _set_progress(status, "Unknown", RESUMED, "Deployment is resumed", now)
        return status
    return None
