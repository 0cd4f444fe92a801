"""Removes pods that nothing else would: too many finished ones, those of lost nodes, unscheduled terminating ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import environment
from cluster.cache import Cache, Entry
from cluster.store import Key
from controllers import pods
from controllers.runtime import Context, Controller, Outcomes, Result, Watch, join_key
from controllers.writes import change
from kube import conditions
from kube.errors import ApiError, NotFound
from kube.objects import Json

SWEEP = "sweep"  # the key of the pass over all finished pods; every other key is a node or a pod
SWEEP_SECONDS = 20.0
QUARANTINE = 40.0  # seconds a node must be missing before its pods are forced out: it may just be re-registering


def _pod_keys(entry: Entry, cache: Cache) -> Iterable[str]:
    yield SWEEP
    if entry.node and cache.get(Key("nodes", "", entry.node)) is None:
        yield f"node:{entry.node}"
    if not entry.node and entry.meta.deletionTimestamp:
        yield f"pod:{join_key(entry.key.namespace, entry.key.name)}"


class PodGCController(Controller):
    """See the module's docstring."""

    name = "podgc"
    user = "system:serviceaccount:kube-system:pod-garbage-collector"
    watches = (
        Watch("nodes", lambda entry, cache: (f"node:{entry.key.name}",), lambda event: event.type != "MODIFIED"),
        Watch(
            "pods",
            _pod_keys,
            lambda event: not event.entry.node or event.previous is None or pods.view(event.entry).finished,
        ),
    )

    def __init__(self) -> None:
        self._missing: dict[str, float] = {}
        self._swept = 0.0

    def reconcile_many(self, keys: Sequence[str], ctx: Context) -> Outcomes:
        """Each key on its own; the base class's refresh before each is not needed here."""
        outcomes: Outcomes = {}
        for key in keys:
            try:
                outcomes[key] = self.reconcile(key, ctx)
            except Exception as error:  # decides the retry of this key only
                outcomes[key] = error
        return outcomes

    def reconcile(self, key: str, ctx: Context) -> Result:
        if key == SWEEP:
            return self._sweep(ctx)
        what, _, name = key.partition(":")
        if what == "node":
            return self._orphans(ctx, name)
        namespace, _, pod = name.partition("/")
        entry = ctx.cache.get(Key("pods", namespace, pod))
        if entry is not None and not entry.node and entry.meta.deletionTimestamp:
            _remove(ctx, [entry])
        return None

    def _sweep(self, ctx: Context) -> Result:
        """Delete the oldest finished pods above the threshold; at most one pass in a while."""
        wait = self._swept + SWEEP_SECONDS - ctx.now()
        if wait > 0:
            return wait if ctx.cache.count("pods") > environment.TERMINATED_PODS.get() else None
        self._swept = ctx.now()
        finished = [
            entry for entry in ctx.cache.list("pods") if not entry.meta.deletionTimestamp and pods.view(entry).finished
        ]
        excess = len(finished) - environment.TERMINATED_PODS.get()
        if excess > 0:
            finished.sort(key=lambda entry: entry.meta.creationTimestamp or "")
            _remove(ctx, finished[:excess])
        return None

    def _orphans(self, ctx: Context, node: str) -> Result:
        """Force out the pods of a node that has been missing for the quarantine time."""
        if ctx.cache.get(Key("nodes", "", node)) is not None or not (orphans := ctx.cache.by_node(node)):
            self._missing.pop(node, None)
            return None
        since = self._missing.setdefault(node, ctx.now())
        wait = since + QUARANTINE - ctx.now()
        if wait > 0:
            return wait
        for entry in orphans:
            _fail(ctx, entry)
        _remove(ctx, orphans)
        self._missing.pop(node, None)
        return None


def _fail(ctx: Context, entry: Entry) -> None:
    """Mark a pod as failed before it goes, so that a Job counts it."""
    if pods.view(entry).finished:
        return

    def fail(pod: Json) -> None:
        status = pod.setdefault("status", {})
        status["phase"] = "Failed"
        conditions.put(status, "DisruptionTarget", "True", "DeletionByPodGC", "PodGC: node no longer exists", ctx.now())

    change(ctx, entry.key, entry.meta.uid, fail, "status")


def _remove(ctx: Context, entries: Sequence[Entry]) -> None:
    """Delete without grace: nobody is there to stop anything."""
    keys = [("pods", entry.key.namespace, entry.key.name) for entry in entries]
    results = ctx.session.delete_many(keys, {"gracePeriodSeconds": 0})
    for result in results:
        if isinstance(result, ApiError) and not isinstance(result, NotFound):
            raise result
