"""Taints that stand for a node's state, and how long a pod bears them. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from kube import clock, conditions, nodematch
from kube.objects import Json

if TYPE_CHECKING:
    from kube.shapes import NodeLike, PodLike, Taint

NO_SCHEDULE, NO_EXECUTE = "NoSchedule", "NoExecute"
PREFIX = "node.kubernetes.io/"
# (taint, condition, status of the condition that brings the taint)
BY_CONDITION = (
    ("not-ready", "Ready", "False"),
    ("unreachable", "Ready", "Unknown"),
    ("memory-pressure", "MemoryPressure", "True"),
    ("disk-pressure", "DiskPressure", "True"),
    ("pid-pressure", "PIDPressure", "True"),
    ("network-unavailable", "NetworkUnavailable", "True"),
)
EXECUTED = ("not-ready", "unreachable")
OURS = frozenset(PREFIX + name for name in (*(name for name, *_ in BY_CONDITION), "unschedulable"))


def wanted_taints(node: NodeLike, now: float) -> list[Taint | Json]:
    """The node's taints as they should be: those of others untouched and first, ours by conditions."""
    present = (node.get("spec") or {}).get("taints") or []
    wanted: list[Taint | Json] = [t for t in present if t["key"] not in OURS]
    for key, effect in _states(node):
        old = next((t for t in present if t["key"] == key and t["effect"] == effect), None)
        wanted.append(old or {"key": key, "effect": effect, "timeAdded": clock.stamp(now)})
    in_order = {(t["key"], t["effect"]) for t in wanted}
    kept = [t for t in present if (t["key"], t["effect"]) in in_order]
    return kept + [t for t in wanted if t not in kept]


def _states(node: NodeLike) -> Iterable[tuple[str, str]]:
    status, spec = node.get("status") or {}, node.get("spec") or {}
    for name, type, value in BY_CONDITION:
        condition = conditions.find(status, type)
        # A node that has reported nothing yet is as good as not ready.
        found = condition["status"] if condition else "False" if type == "Ready" else ""
        if found == value:
            yield PREFIX + name, NO_SCHEDULE
            # The node itself says that it is not ready, or says nothing any more; a new one has no pods to evict.
            if name in EXECUTED and condition is not None:
                yield PREFIX + name, NO_EXECUTE
    if spec.get("unschedulable"):
        yield PREFIX + "unschedulable", NO_SCHEDULE


def evict_after(pod: PodLike, taints: Sequence[Taint | Json], now: float) -> float | None:
    """Seconds until the pod must go because of NoExecute taints (0 or less: now), None when it may stay."""
    tolerations = (pod.get("spec") or {}).get("tolerations") or []
    shortest: float | None = None
    for taint in taints:
        bearing = [t for t in tolerations if nodematch.tolerates(t, taint)]
        if not bearing:
            return 0.0
        limits = [t["tolerationSeconds"] for t in bearing if t.get("tolerationSeconds") is not None]
        if limits:
            since = clock.parse(taint["timeAdded"]) if taint.get("timeAdded") else now
            wait = since + max(min(limits), 0) - now
            shortest = wait if shortest is None else min(shortest, wait)
    return shortest
