"""The conditions of a CRD's status."""

from __future__ import annotations

from kube import clock
from kube.objects import Json


def put(status: Json, kind: str, value: str, reason: str, message: str) -> None:
    """Set a condition, as the last one; its time is that of the last change of its value."""
    conditions = status.get("conditions") or []
    old = next((c for c in conditions if c.get("type") == kind), None)
    since = old["lastTransitionTime"] if old and old.get("status") == value else clock.now()
    new = {"type": kind, "status": value, "lastTransitionTime": since, "reason": reason, "message": message}
    status["conditions"] = [c for c in conditions if c.get("type") != kind] + [new]


def is_true(crd: Json, kind: str) -> bool:
    """Whether a condition of a CRD is True."""
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == kind and c.get("status") == "True" for c in conditions)
