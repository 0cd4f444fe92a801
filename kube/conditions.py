"""Conditions in `status.conditions`: found by type, changed without losing the time of the last transition.

Kubernetes has two habits. Workload controllers `put`: nothing is written while status and reason stay, what is new goes
to the end. Everybody else `update`s: each condition keeps its place, and says the newest message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kube import clock
from kube.objects import Json

if TYPE_CHECKING:
    from kube.shapes import Condition


def find(status: Mapping[str, Any] | None, type: str) -> Condition | None:
    """The condition of a type in an object's status."""
    for condition in (status or {}).get("conditions") or ():
        if condition.get("type") == type:
            found: Condition = condition
            return found
    return None


def is_true(status: Mapping[str, Any] | None, type: str) -> bool:
    condition = find(status, type)
    return condition is not None and condition.get("status") == "True"


def update(status: Json, condition: Json, now: float | None = None) -> bool:
    """Put a condition where the one of its type stands, else at the end; whether that changed anything.

    The time of the last transition is `now` (epoch seconds; None for the present) where `status` changed, else the old one.
    """
    present = list(status.get("conditions") or ())
    at = next((i for i, one in enumerate(present) if one.get("type") == condition["type"]), len(present))
    old = present[at] if at < len(present) else {}
    since = old.get("lastTransitionTime") if old.get("status") == condition["status"] else None
    new = {**condition, "lastTransitionTime": since or (clock.now() if now is None else clock.stamp(now))}
    status["conditions"] = [*present[:at], new, *present[at + 1 :]]
    return new != old


def put(status: Json, type: str, value: str, reason: str, message: str, now: float, *extra: str) -> bool:
    """Replace the condition of this type by a new one at the end, unless status and reason are the same; whether it did.

    `extra` names further time fields to stamp (lastUpdateTime, lastProbeTime). The transition time changes only with
    the status.
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
