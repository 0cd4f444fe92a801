"""An addon made for the tests, and the small worlds it runs in: a deployment, its replica set, pods and a node."""

from __future__ import annotations

from typing import Any

from addons.catalogue import Addon
from addons.manager import AddonManager
from addons.options import Option
from controllers.runtime import Context
from kube import clock

SYSTEM = "kube-system"
NOW = 1_800_000_000.0
DOCUMENT = """
apiVersion: v1
kind: ConfigMap
metadata: {name: kept}
data: {size: "${size}"}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: once
  labels: {addonmanager.kubernetes.io/mode: EnsureExists}
data: {a: "1"}
"""
WORKLOAD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  replicas: ${size}
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}}
    spec: {containers: [{name: main, image: host, command: ["sh", "-c", "${command}"]}]}
"""
PLAIN = Addon(
    "sample",
    "Sample",
    "An addon.",
    "1",
    True,
    (Option("size", "3", "How many.", "integer", min=1, max=9),),
    (DOCUMENT,),
)
WORKING = Addon(
    "sample",
    "Sample",
    "An addon.",
    "1",
    True,
    (Option("size", "1", "How many.", "integer", min=1, max=9), Option("command", "sleep 9", "What runs.")),
    (DOCUMENT, WORKLOAD),
)


class Cluster:
    """The addon's manager in a cluster whose clock and workloads the test moves."""

    addon, workload = "sample", "worker"

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.now = NOW
        ctx.now = lambda: self.now
        self.manager = AddonManager()

    def turn(self, after: float = 0.0) -> float | None:
        self.now += after
        self.ctx.cache.refresh()
        return self.manager.reconcile(self.addon, self.ctx)

    def config(self) -> dict[str, Any]:
        return self.ctx.session.get("configmaps", SYSTEM, f"addon-{self.addon}")

    def data(self, name: str = "") -> dict[str, str] | None:
        found = self.ctx.session.get("configmaps", SYSTEM, name or f"addon-{self.addon}")
        return found["data"] if found else None

    def note(self, name: str) -> str:
        found: str = (self.config()["metadata"].get("annotations") or {}).get(f"addons.binnacle/{name}", "")
        return found

    def edit(self, name: str = "", **data: str | None) -> None:
        self.ctx.session.patch(
            "configmaps",
            SYSTEM,
            name or f"addon-{self.addon}",
            {"data": data},
            "application/merge-patch+json",
            field_manager="kubectl-edit",
        )

    def node(self, ready: bool = True, since: float = NOW - 1000) -> None:
        session, condition = (
            self.ctx.session,
            {"type": "Ready", "status": "True" if ready else "Unknown", "lastTransitionTime": clock.stamp(since)},
        )
        if session.get("nodes", "", "harbor") is None:
            session.create("nodes", "", {"metadata": {"name": "harbor"}})
        session.mutate("nodes", "", "harbor", lambda node: node["status"].update(conditions=[condition]), "status")

    def work(self, ready: bool = True, since: float | None = None, crashed: bool = False) -> None:
        """The deployment's controller and the kubelet have done their part: one pod, ready since a time or not."""
        at, session = self.now if since is None else since, self.ctx.session
        worker = session.get("deployments.apps", SYSTEM, self.workload)
        assert worker is not None
        desired = worker["spec"]["replicas"]
        session.mutate(
            "deployments.apps",
            SYSTEM,
            self.workload,
            lambda obj: obj.update(
                status={
                    "observedGeneration": obj["metadata"]["generation"],
                    "replicas": desired,
                    "updatedReplicas": desired,
                    "readyReplicas": desired if ready else 0,
                    "availableReplicas": desired if ready else 0,
                }
            ),
            "status",
        )
        if session.get("pods", SYSTEM, "worker-1") is None:
            self._make_pod(worker)
        container: dict[str, Any] = {
            "name": "main",
            "image": "host",
            "imageID": "",
            "ready": ready,
            "restartCount": int(crashed),
            "state": {"running": {}},
        }
        if crashed:
            container.update(
                state={"waiting": {"reason": "CrashLoopBackOff"}},
                lastState={"terminated": {"exitCode": 7, "message": "no such <file>"}},
            )
        session.mutate(
            "pods",
            SYSTEM,
            "worker-1",
            lambda pod: pod.update(
                status={
                    "phase": "Running",
                    "containerStatuses": [container],
                    "conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": clock.stamp(at)}],
                }
            ),
            "status",
        )

    def _make_pod(self, worker: dict[str, Any]) -> None:
        owner = [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": self.workload,
                "uid": worker["metadata"]["uid"],
                "controller": True,
            }
        ]
        self.ctx.session.create(
            "pods",
            SYSTEM,
            {
                "metadata": {"name": "worker-1", "labels": {"app": "worker"}, "ownerReferences": owner},
                "spec": {"nodeName": "harbor", "containers": [{"name": "main", "image": "host"}]},
            },
        )

    def audit(self) -> list[tuple[Any, ...]]:
        """(action, actor, changes, note), oldest first."""
        return self.ctx.session.store.database.rows(
            "SELECT action, actor, changes, note FROM addons_auditentry ORDER BY id"
        )

    def events(self) -> list[tuple[str, str]]:
        """(reason, message) of the events about the addon's ConfigMap."""
        from cluster import events

        events.flush()
        self.ctx.cache.refresh()
        found = [entry.object() for entry in self.ctx.cache.list("events", SYSTEM)]
        return [
            (event["reason"], event["message"])
            for event in found
            if event["involvedObject"]["name"] == f"addon-{self.addon}"
        ]
