"""Watches over nodes: a node whose Lease is not renewed becomes unknown, is tainted, and its pods are sent elsewhere.

1. No renewal within the grace period: the node's conditions become Unknown, its pods lose their readiness.
2. Conditions become taints (`not-ready`, `unreachable`, pressure, unschedulable), with NoSchedule and NoExecute.
3. Pods that do not tolerate a NoExecute taint are deleted, those that tolerate it for a time, after that time.
"""

from __future__ import annotations

from collections.abc import Iterable

import environment
from cluster.cache import Cache, Entry
from cluster.events import Recorder
from cluster.store import Key
from controllers import pods
from controllers.nodetaints import NO_EXECUTE, evict_after, wanted_taints
from controllers.runtime import Context, Controller, Result, Watch, own_key
from controllers.writes import change
from kube import clock, conditions
from kube.errors import Conflict, NotFound
from kube.objects import Json

LEASES, LEASE_NAMESPACE = "leases.coordination.k8s.io", "kube-node-lease"
CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
UNKNOWN = ("NodeStatusUnknown", "Kubelet stopped posting node status.")
NEVER = ("NodeStatusNeverUpdated", "Kubelet never posted node status.")


def _lease_key(entry: Entry, cache: Cache) -> Iterable[str]:
    if entry.key.namespace == LEASE_NAMESPACE:
        yield entry.key.name


class NodeLifecycleController(Controller):
    """Key: a node. Looks again when the grace period or a pod's toleration would run out."""

    name = "nodelifecycle"
    user = "system:serviceaccount:kube-system:node-controller"
    watches = (
        Watch("nodes", own_key),
        # A pod that was bound just now: a node that is already lost has to send it away.
        Watch(
            "pods",
            lambda entry, cache: (entry.node,) if entry.node else (),
            lambda event: event.type != "DELETED" and (not event.previous or event.previous.node != event.entry.node),
        ),
        Watch(LEASES, _lease_key, lambda event: event.type == "ADDED"),
    )

    def __init__(self) -> None:
        self._recorder = Recorder("node-controller")
        self._started: float | None = None

    def reconcile(self, key: str, ctx: Context) -> Result:
        entry = ctx.cache.get(Key("nodes", "", key))
        if entry is None:
            return None
        # Nobody renews while the whole cluster is down: the grace period counts from our own start at the earliest.
        self._started = ctx.now() if self._started is None else self._started
        node = entry.object()
        left = self._heard(ctx, node) + environment.NODE_GRACE.get() - ctx.now()
        found = [conditions.find(node.get("status") or {}, type) for type in CONDITIONS]
        if left <= 0 and any(c is None or c["status"] != "Unknown" for c in found):
            node = self._lost(ctx, node)
        node = self._taint(ctx, node)
        self._mark_pods(ctx, node)
        next_eviction = self._evict(ctx, node)
        waits = [wait for wait in (left if left > 0 else None, next_eviction) if wait is not None]
        return max(min(waits), 0.05) if waits else None

    def _heard(self, ctx: Context, node: Json) -> float:
        """When the node gave its last sign of life (epoch seconds)."""
        name, signs = node["metadata"]["name"], [self._started or 0.0]
        lease = ctx.cache.get(Key(LEASES, LEASE_NAMESPACE, name))
        renewed = (lease.object().get("spec") or {}).get("renewTime") if lease else None
        ready = conditions.find(node.get("status") or {}, "Ready") or {}
        beats = [ready.get("lastHeartbeatTime")] if ready.get("status") != "Unknown" else []
        signs += [clock.parse(text) for text in (renewed, *beats, node["metadata"].get("creationTimestamp")) if text]
        return max(signs)

    def _lost(self, ctx: Context, node: Json) -> Json:
        """Set all conditions to Unknown."""
        name = node["metadata"]["name"]
        was_ready = conditions.is_true(node.get("status"), "Ready")

        def lose(obj: Json) -> None:
            status = obj.setdefault("status", {})
            for type in CONDITIONS:
                old = conditions.find(status, type)
                reason, message = UNKNOWN if old else NEVER
                conditions.put(status, type, "Unknown", reason, message, ctx.now())
                new = conditions.find(status, type) or {}
                new["lastHeartbeatTime"] = (old or {}).get("lastHeartbeatTime") or node["metadata"]["creationTimestamp"]

        changed = change(ctx, Key("nodes", "", name), node["metadata"]["uid"], lose, "status")
        if changed is None:
            return node
        node = changed
        if was_ready:
            self._recorder.event(
                ctx.session, _about(node), "Normal", "NodeNotReady", f"Node {name} status is now: NodeNotReady"
            )
        return node

    @staticmethod
    def _taint(ctx: Context, node: Json) -> Json:
        """Make the taints that stand for conditions match these."""
        present = (node.get("spec") or {}).get("taints") or []
        if wanted_taints(node, ctx.now()) == present:
            return node

        def taint(obj: Json) -> None:
            found = wanted_taints(obj, ctx.now())
            if found:
                obj.setdefault("spec", {})["taints"] = found
            else:
                obj.get("spec", {}).pop("taints", None)

        meta = node["metadata"]
        return change(ctx, Key("nodes", "", meta["name"]), meta["uid"], taint) or node

    def _mark_pods(self, ctx: Context, node: Json) -> None:
        """Pods of a node that is not ready are not ready either; all in one commit."""
        ready = conditions.find(node.get("status") or {}, "Ready")
        if ready is None or ready["status"] == "True":
            return
        changed = []
        for entry in ctx.cache.by_node(node["metadata"]["name"]):
            if pods.view(entry).ready:
                pod = entry.object()
                conditions.put(pod["status"], "Ready", "False", "NodeNotReady", "", ctx.now())
                changed.append(pod)
        results = ctx.session.update_many([("pods", p["metadata"]["namespace"], p) for p in changed], "status")
        for pod, result in zip(changed, results, strict=True):
            if not isinstance(result, Exception):
                self._recorder.event(ctx.session, _about(pod, "Pod"), "Warning", "NodeNotReady", "Node is not ready")
            elif not isinstance(result, NotFound | Conflict):
                raise result
        if any(isinstance(result, Conflict) for result in results):
            raise next(result for result in results if isinstance(result, Conflict))

    def _evict(self, ctx: Context, node: Json) -> float | None:
        """Delete the pods whose toleration has run out; returns the seconds until the next one's does."""
        taints = [t for t in (node.get("spec") or {}).get("taints") or [] if t["effect"] == NO_EXECUTE]
        soonest: float | None = None
        if not taints:
            return None
        for entry in ctx.cache.by_node(node["metadata"]["name"]):
            if entry.meta.deletionTimestamp:
                continue
            wait = evict_after(entry.object(), taints, ctx.now())
            if wait is not None and wait <= 0:
                self._delete(ctx, entry)
            elif wait is not None:
                soonest = wait if soonest is None else min(soonest, wait)
        return soonest

    def _delete(self, ctx: Context, entry: Entry) -> None:
        pod = entry.object()
        where = f"{entry.key.namespace}/{entry.key.name}"

        def doom(obj: Json) -> None:
            conditions.put(
                obj.setdefault("status", {}),
                "DisruptionTarget",
                "True",
                "DeletionByTaintManager",
                "Taint manager: deleting due to NoExecute taint",
                ctx.now(),
            )

        try:
            if change(ctx, entry.key, entry.meta.uid, doom, "status") is None:
                return
            ctx.session.delete("pods", entry.key.namespace, entry.key.name, {"preconditions": {"uid": entry.meta.uid}})
        except (NotFound, Conflict):
            return
        self._recorder.event(
            ctx.session, _about(pod, "Pod"), "Normal", "TaintManagerEviction", f"Marking for deletion Pod {where}"
        )


def _about(obj: Json, kind: str = "Node") -> Json:
    return {"apiVersion": "v1", "kind": kind, **obj}
