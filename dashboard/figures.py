"""The charts of a page: what the user may see is checked here, before monitoring is asked; it answers the dashboard anything.

A page asks `{"op": "figures", "id", "key": [storage, namespace, name] or null, "ns", "range", "to"}`, `to` the end of the
range in epoch seconds, now without it. The answer is what monitoring's `/api/v1/range` gives, with `lines` (requests and
limits as they are now), or `{"silent": why, "text"}`.

| page | right | parts of the chart |
| --- | --- | --- |
| pod | get the pod | containers |
| workload | get it, and list pods in its namespace | pods |
| namespace | list pods there | workloads |
| node | get the node | pods, for who may list pods everywhere |
| overview | list nodes | namespaces, for who may list pods everywhere; else nodes |
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from dashboard import amounts, overview
from dashboard.access import Access
from dashboard.feeds import key_of
from dashboard.overview import Health
from dashboard.services import Silent, monitoring_of
from kube.objects import Json

RANGES = ("15m", "1h", "6h", "24h", "7d", "30d")
WORKLOADS = {
    "deployments.apps": "Deployment",
    "statefulsets.apps": "StatefulSet",
    "daemonsets.apps": "DaemonSet",
    "jobs.batch": "Job",
    "replicasets.apps": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
}
METRICS = {"pods": "cpu,memory,rx,tx,fs,restarts", "nodes": "cpu,memory,rx,tx,fs"}
OTHERS = "cpu,memory,rx,tx,restarts"


class Wanted(NamedTuple):
    """A question to monitoring, and the lines to draw beside its answer."""

    query: dict[str, str]
    lines: Json


async def figures(access: Access, message: Json) -> Json:
    """The answer to a page. Raises PermissionError, LookupError, ValueError."""
    span = message.get("range")
    if span not in RANGES:
        raise ValueError(f"range: {str(span)[:20]!r} cannot be asked for; it may be {', '.join(RANGES)}")
    to = message.get("to")
    if to is not None and not (isinstance(to, int) and 0 < to < 1 << 40):
        raise ValueError("to: it is a number of seconds since the epoch")
    wanted = await _wanted(access, message.get("key"), str(message.get("ns") or ""))
    try:
        query = {**wanted.query, "range": span, **({"to": str(to)} if to else {})}
        found = await monitoring_of(access.source).ask(query)
    except Silent as silence:
        return {"silent": silence.why, "text": str(silence)}
    return {**found, "lines": wanted.lines}


async def _wanted(access: Access, place: Any, namespace: str) -> Wanted:
    """The question of a page, checked against the user's rights: see the table above."""
    if place is None and namespace:
        return await _of_namespace(access, namespace)
    if place is None:
        if not access.can_list("nodes"):
            raise PermissionError("you may not list nodes: choose a namespace to see its figures")
        tally = await overview.tally_of(access.source)
        lines = _summed("allocatable", tally.health["nodes"].values())
        return Wanted({"metric": OTHERS, "by": "namespace" if access.can_list("pods") else "node"}, lines)

    key = key_of(place)
    if not access.can_get(key):
        raise PermissionError(f"you may not get {key.storage} {key.name}")
    entry = access.source.cache.get(key)
    obj = entry.object() if entry else {}
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if key.storage == "namespaces":
        return await _of_namespace(access, key.name)
    if key.storage == "pods":
        query = {"metric": METRICS["pods"], "namespace": key.namespace, "pod": key.name, "by": "container"}
        return Wanted(query, _lines(spec, 1) if entry else {})
    if key.storage == "nodes":
        have = amounts.allocatable(obj)
        lines = (
            {"cpu": [["allocatable", have.cpu / 1000]], "memory": [["allocatable", have.memory]]} if any(have) else {}
        )
        query = {"metric": METRICS["nodes"], "node": key.name}
        return Wanted({**query, "by": "pod"} if access.can_list("pods") else query, lines)
    if key.storage not in WORKLOADS:
        raise LookupError(f"there are no figures of {key.storage}")
    if not access.can_list("pods", key.namespace):
        raise PermissionError(f"you may not list pods in {key.namespace}")
    workload = f"{WORKLOADS[key.storage]}/{key.name}"
    count = spec.get("replicas", status.get("desiredNumberScheduled", spec.get("parallelism", 1)))
    lines = _lines((spec.get("template") or {}).get("spec") or {}, count)
    return Wanted({"metric": OTHERS, "namespace": key.namespace, "workload": workload, "by": "pod"}, lines)


async def _of_namespace(access: Access, namespace: str) -> Wanted:
    if "," in namespace:
        raise LookupError("There are no figures of several namespaces together: choose one.")
    if not access.can_list("pods", namespace):
        raise PermissionError(f"you may not list pods in {namespace}")
    tally = await overview.tally_of(access.source)
    asked = [health for key, health in tally.health["pods"].items() if key.namespace == namespace]
    lines = _summed("requested", asked)
    return Wanted({"metric": OTHERS, "namespace": namespace, "by": "workload"}, lines)


def _summed(name: str, healths: Iterable[Health]) -> Json:
    found = list(healths)
    return {"cpu": [[name, sum(f.cpu for f in found) / 1000]], "memory": [[name, sum(f.memory for f in found)]]}


def _lines(spec: Json, count: int) -> Json:
    """Requests and limits of `count` pods of this spec; a limit only where every container has one."""
    asked, most = amounts.requests(spec), amounts.limits(spec)
    found: Json = {}
    for name, request, limit, unit in (("cpu", asked.cpu, most.cpu, 1000), ("memory", asked.memory, most.memory, 1)):
        lines = [[title, each * count / unit] for title, each in (("requested", request), ("limit", limit)) if each]
        if lines:
            found[name] = lines
    return found
