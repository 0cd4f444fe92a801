"""Conditions in `status.conditions`: found by type, replaced without losing the time of the last transition."""

from __future__ import annotations

from kube import clock
from kube.objects import Json


def find(status: Json, type: str) -> Json | None:
    """The condition of a type."""
    return next((c for c in status.get("conditions") or () if c["type"] == type), None)


def is_true(status: Json, type: str) -> bool:
    condition = find(status, type)
    return condition is not None and condition["status"] == "True"


def put(status: Json, type: str, value: str, reason: str, message: str, now: float, *extra: str) -> bool:
    """Set a condition; `extra` names further time fields to stamp (lastUpdateTime, lastProbeTime).

    Nothing changes when status and reason are the same. The transition time changes only with the status.
    """
    old = find(status, type)
    if old is not None and old["status"] == value and old.get("reason", "") == reason:
        return False
    stamp = clock.stamp(now)
    new: Json = {"type": type, "status": value}
    new.update(dict.fromkeys(extra, stamp))
    same = old is not None and old["status"] == value
    new["lastTransitionTime"] = old["lastTransitionTime"] if old is not None and same else stamp
    new.update({name: text for name, text in (("reason", reason), ("message", message)) if text})
    status["conditions"] = [c for c in status.get("conditions") or () if c["type"] != type] + [new]
    return True


def remove(status: Json, type: str) -> None:
    """Drop the condition of a type."""
    kept = [c for c in status.get("conditions") or () if c["type"] != type]
    if kept:
        status["conditions"] = kept
    else:
        status.pop("conditions", None)
