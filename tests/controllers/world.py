"""A world for controller tests: a real store, session and cache; controllers that run until nothing changes any more;
nodes that play kubelet; a clock that the test sets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from cluster.cache import Cache
from cluster.events import Recorder
from cluster.store import Key
from cluster.verbs import Session
from controllers.feeder import EVERYTHING
from controllers.runtime import Context, Controller
from kube import clock
from kube.objects import Json


class World:
    """See the module's text. `behave(pod)` returns the status a pod comes to, None to leave it as it is."""

    def __init__(self, cache: Cache, controllers: Iterable[Controller], monkeypatch: Any) -> None:
        self.cache = cache
        self.session = Session(1, "system:admin", cache, cache.store)
        self.controllers = list(controllers)
        self.offset = 0.0
        self.events: list[tuple[str, str, str, str]] = []
        self.behave: Callable[[Json], Json | None] = ready
        self.after: dict[str, float | None] = {}
        self.errors: dict[str, Exception] = {}
        self.ctx = Context(self.session, cache, self.now)
        monkeypatch.setattr(Recorder, "event", lambda recorder, *told: self._record(*told))
        monkeypatch.setattr(clock, "now", lambda: clock.stamp(self.now()))
        self.session.create(
            "namespaces", "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
        )
        self.session.create(
            "serviceaccounts",
            "default",
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": "default"},
            },
        )

    def now(self) -> float:
        return time.time() + self.offset

    def _record(self, session: Session, obj: Json, type: str, reason: str, message: str) -> None:
        self.events.append((obj["metadata"]["name"], type, reason, message))

    def reasons(self, name: str) -> list[str]:
        return [reason for about, _, reason, _ in self.events if about == name]

    # -- running -----------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Every controller looks at every key once."""
        for controller in self.controllers:
            keys: dict[str, None] = {}
            self.cache.refresh()
            for watch in controller.watches:
                for storage in self.cache.stored() if watch.storage == EVERYTHING else (watch.storage,):
                    for entry in self.cache.list(storage):
                        keys.update(dict.fromkeys(watch.keys(entry, self.cache)))
            for key, outcome in controller.reconcile_many(list(keys), self.ctx).items():
                if isinstance(outcome, Exception):
                    self.errors[key] = outcome
                else:
                    self.after[key] = outcome

    def kubelets(self) -> None:
        """Bind what is not bound, let pods become what `behave` says, finish deletions."""
        self.cache.refresh()
        for entry in self.cache.list("pods"):
            pod = entry.object()
            meta = pod["metadata"]
            if meta.get("deletionTimestamp"):
                self._end(pod)
            elif not pod["spec"].get("nodeName"):
                self.session.bind_many([(meta["namespace"], meta["name"], _node_for(pod))])
            else:
                self._run(pod)

    def settle(self, rounds: int = 40) -> None:
        """Until nothing is written any more."""
        for _ in range(rounds):
            before = self.cache.refresh()
            self.errors.clear()
            self.step()
            self.kubelets()
            if self.cache.refresh() == before:
                assert not self.errors, self.errors
                return
        raise AssertionError(f"still changing after {rounds} rounds; errors: {self.errors}")

    def _run(self, pod: Json) -> None:
        if pod["status"].get("phase") in ("Succeeded", "Failed"):
            return
        status = self.behave(pod)
        if status is not None and not _same(pod["status"], status):
            stamp = clock.stamp(self.now())
            conditions = [{**condition, "lastTransitionTime": stamp} for condition in status.get("conditions", ())]
            pod["status"].update(status, conditions=conditions)
            self.session.update("pods", pod["metadata"]["namespace"], pod["metadata"]["name"], pod, "status")

    def _end(self, pod: Json) -> None:
        """The kubelet stops the containers, reports that, and lets the pod go."""
        meta = pod["metadata"]
        if pod["spec"].get("nodeName") and pod["status"].get("phase") not in ("Succeeded", "Failed"):
            pod["status"].update(phase="Failed", conditions=[])
            pod = self.session.update("pods", meta["namespace"], meta["name"], pod, "status")
        self.session.delete("pods", meta["namespace"], meta["name"], {"gracePeriodSeconds": 0})

    # -- objects -----------------------------------------------------------------------------------------------------

    def create(self, storage: str, obj: Json) -> Json:
        return self.session.create(storage, "default", obj)

    def get(self, storage: str, name: str, namespace: str = "default") -> Json:
        self.cache.refresh()
        entry = self.cache.get(Key(storage, namespace, name))
        assert entry is not None, f"no {storage} {name}"
        return entry.object()

    def list(self, storage: str) -> list[Json]:
        self.cache.refresh()
        return [entry.object() for entry in self.cache.list(storage, "default")]

    def edit(self, storage: str, name: str, change: Callable[[Json], Any]) -> Json:
        def apply(obj: Json) -> None:
            change(obj)

        return self.session.mutate(storage, "default", name, apply)

    def delete(self, storage: str, name: str, **options: Any) -> None:
        self.session.delete(storage, "default", name, options)

    def pods(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.list("pods")]

    def nodes(self, *names: str, **spec: Any) -> None:
        for name in names:
            self.session.create(
                "nodes",
                "",
                {
                    "apiVersion": "v1",
                    "kind": "Node",
                    "metadata": {"name": name, "labels": {"name": name}},
                    "spec": spec,
                },
            )
        for name in names:
            self.session.mutate("nodes", "", name, _becomes_ready)


def _becomes_ready(node: Json) -> None:
    """Admission taints a new node until something says that it is ready."""
    kept = [taint for taint in node["spec"].get("taints", ()) if taint["key"] != "node.kubernetes.io/not-ready"]
    node["spec"]["taints"] = kept


def condition(status: Json, type: str) -> Json:
    """A condition of a status; fails when it is absent."""
    return next(c for c in status.get("conditions", ()) if c["type"] == type)


def ready(pod: Json) -> Json:
    return {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


def pending(pod: Json) -> Json | None:
    return None


def succeeded(pod: Json) -> Json:
    return {"phase": "Succeeded", "conditions": [{"type": "Ready", "status": "False", "reason": "PodCompleted"}]}


def failing(code: int) -> Callable[[Json], Json]:
    """Pods that end with an exit code."""

    def behave(pod: Json) -> Json:
        stamp = clock.now()
        return {
            "phase": "Failed",
            "containerStatuses": [
                {
                    "name": container["name"],
                    "ready": False,
                    "restartCount": 0,
                    "image": "i",
                    "imageID": "",
                    "state": {"terminated": {"exitCode": code, "startedAt": stamp, "finishedAt": stamp}},
                }
                for container in pod["spec"]["containers"]
            ],
        }

    return behave


def template(image: str = "app:1", **labels: str) -> Json:
    """A pod template with one container."""
    return {
        "metadata": {"labels": labels or {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": image}]},
    }


def _node_for(pod: Json) -> str:
    from controllers.daemonset.placement import node_of

    return node_of(pod["spec"]) or "node-0"


def _same(old: Json, new: Json) -> bool:
    def plain(status: Json) -> Any:
        return status.get("phase"), [(c["type"], c["status"]) for c in status.get("conditions", ())]

    return plain(old) == plain(new)
