"""The printed row of a pod: what `kubectl get pods` shows."""

from __future__ import annotations

from typing import Any

from kube import clock
from kube import columns as c
from kube.objects import Json
from kube.pods.summary import summarize

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


def cells(obj: Json, now: float) -> list[Any]:
    """The row, in the order of `COLUMNS`."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    found = summarize(obj)
    restarts = str(found.restarts)
    if found.restarts and found.last:
        restarts = f"{found.restarts} ({clock.human(now - found.last)} ago)"
    gates = c.NONE
    if wanted := spec.get("readinessGates"):
        true = {x.get("type") for x in status.get("conditions") or () if x.get("status") == "True"}
        gates = f"{sum(gate.get('conditionType') in true for gate in wanted)}/{len(wanted)}"
    addresses = status.get("podIPs")
    ip = addresses[0].get("ip") if addresses else status.get("podIP")
    return [
        meta["name"],
        f"{found.ready}/{found.total}",
        found.word,
        restarts,
        c.age(obj, now),
        ip or c.NONE,
        spec.get("nodeName") or c.NONE,
        status.get("nominatedNodeName") or c.NONE,
        gates,
    ]
