"""How the workloads of an addon do, as the cache shows them: what the manager decides by, and the pages show.

An addon is healthy when every workload runs what its template says with as many ready pods as it should have, and these
have been ready for a while: a container without a readiness probe is ready for a moment before each of its crashes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from addons.catalogue import ADDON_LABEL, NAMESPACE
from cluster.cache import Cache, Entry
from dashboard.levels import conditions
from kube import clock
from kube.objects import Json
from kube.pods import podutil
from kube.pods.summary import STARTING

if TYPE_CHECKING:
    from kube.shapes import Condition, ContainerStatus, PodLike

WORKLOADS = ("deployments.apps", "daemonsets.apps", "statefulsets.apps")


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload of an addon: how many of its pods are ready, and what keeps it from being done ("" when it is)."""

    kind: str
    name: str
    ready: int
    desired: int
    trouble: str
    pods: tuple[Json, ...]
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """How an addon does. `since`: epoch seconds from which all of its pods have been ready, 0 without pods."""

    workloads: tuple[Workload, ...]
    since: float

    @property
    def trouble(self) -> str:
        """What is wrong, one sentence; "" when all is well."""
        return "; ".join(f"{w.kind} {w.name}: {w.trouble}" for w in self.workloads if w.trouble)

    @property
    def pods(self) -> list[Json]:
        return [pod for workload in self.workloads for pod in workload.pods]


def of(addon: str, cache: Cache) -> Health:
    """The health of the addon of that name."""
    found = tuple(
        workload(entry, cache)
        for storage in WORKLOADS
        for entry in cache.select(storage, NAMESPACE, lambda labels: labels.get(ADDON_LABEL) == addon)
    )
    return Health(found, max((_since(conditions(pod).get("Ready", {})) for w in found for pod in w.pods), default=0.0))


def workload(entry: Entry, cache: Cache) -> Workload:
    """One workload with its pods."""
    obj = entry.object()
    status, spec = obj.get("status") or {}, obj.get("spec") or {}
    pods = tuple(sorted((pod.object() for pod in _pods(entry, cache)), key=lambda pod: str(pod["metadata"]["name"])))
    desired = status.get("desiredNumberScheduled", spec.get("replicas", 1 if "replicas" in spec else 0))
    ready = status.get("readyReplicas", status.get("numberReady", 0))
    trouble = _unfinished(obj, status, desired, ready)
    if trouble and (reason := next(filter(None, map(pod_trouble, pods)), "")):
        trouble = f"{trouble} ({reason})"
    images = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    return Workload(obj["kind"], entry.key.name, ready, desired, trouble, pods, tuple(c["image"] for c in images))


def _pods(entry: Entry, cache: Cache) -> Iterator[Entry]:
    """The pods of a workload, of a deployment's replica sets too, without those that are going."""
    for owned in cache.by_owner(entry.meta.uid):
        if owned.key.storage == "replicasets.apps":
            yield from _pods(owned, cache)
        elif owned.key.storage == "pods" and not owned.meta.deletionTimestamp:
            yield owned


def _unfinished(obj: Json, status: Json, desired: int, ready: int) -> str:
    """What `kubectl rollout status` would wait for; "" when the rollout is complete."""
    if status.get("observedGeneration", 0) < obj["metadata"].get("generation", 0):
        return "its controller has not seen it yet"
    updated = int(status.get("updatedReplicas", status.get("updatedNumberScheduled", 0)) or 0)
    by_hand = ((obj.get("spec") or {}).get("updateStrategy") or {}).get("type") == "OnDelete"
    if updated < desired and not by_hand:
        return f"{updated} of {desired} pods run the new version"
    if ready < desired:
        return f"{ready} of {desired} pods are ready"
    if obj["kind"] == "Deployment" and status.get("replicas", 0) > updated:
        return f"{status['replicas'] - updated} old pods are still there"
    return ""


def pod_trouble(pod: PodLike) -> str:
    """Why a pod is not ready, in words that stay the same while nothing changes; "" when it is."""
    if podutil.ready(pod):
        return ""
    name = pod["metadata"]["name"]
    for one, _ in podutil.statuses(pod):
        waiting = ((one.get("state") or {}).get("waiting") or {}).get("reason") or ""
        ended = last_end(one)
        if ended:
            message = " ".join(str(ended.get("message") or "").split())[:200]
            how = f"ended with exit code {ended.get('exitCode')}{': ' + message if message else ''}"
            return f"pod {name}: container {one['name']} {how}{', ' + waiting if waiting else ''}"
        if waiting not in STARTING:
            return f"pod {name}: container {one['name']}: {waiting}"
    scheduled = conditions(pod).get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return f"pod {name}: {scheduled.get('message') or scheduled.get('reason')}"
    return f"pod {name} is not ready"


def last_end(status: ContainerStatus) -> Json | None:
    """How a container ended last, None when it never did."""
    for state in (status.get("state"), status.get("lastState")):
        if ended := (state or {}).get("terminated"):
            return dict(ended)
    return None


def _since(condition: Condition) -> float:
    try:
        return clock.parse(condition["lastTransitionTime"]) if condition.get("status") == "True" else 0.0
    except (KeyError, TypeError, ValueError):
        return 0.0


def nodes_ready_since(health: Health, cache: Cache) -> tuple[float, str]:
    """(since when the nodes that matter are ready, why they are not). Those of the pods; without pods on a node, any."""
    found = {entry.key.name: conditions(entry.object()).get("Ready", {}) for entry in cache.list("nodes")}
    ready = {name: _since(condition) for name, condition in found.items() if condition.get("status") == "True"}
    used = {pod["spec"]["nodeName"] for pod in health.pods if (pod.get("spec") or {}).get("nodeName")}
    if away := sorted(used - ready.keys()):
        return 0.0, f"node {away[0]} is not ready"
    if used:
        return max(ready[name] for name in used), ""
    return (min(ready.values()), "") if ready else (0.0, "no node is ready")
