"""Does what `placement` and `update` say: revisions, pods, status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cluster.cache import Event
from cluster.events import Recorder
from cluster.store import Key
from controllers import owners, pods, revisions
from controllers.daemonset import placement, update
from controllers.podcontrol import BURST, PodControl
from controllers.pods import PodView
from controllers.runtime import Context, Controller, Result, Watch, keys_of, own_key, split_key
from controllers.writes import put_status
from kube import selectors
from kube.errors import ApiError
from kube.objects import Json

STORAGE = "daemonsets.apps"
LONGEST_DELAY = 900.0
REMEMBERED = 20_000  # nodes whose daemon pods ended, over all daemon sets


class _NodeMeta(msgspec.Struct, frozen=True):
    labels: dict[str, str] = {}


class _NodeSpec(msgspec.Struct, frozen=True):
    taints: list[dict[str, Any]] = []


class _NodeView(msgspec.Struct, frozen=True):
    metadata: _NodeMeta
    spec: _NodeSpec = _NodeSpec()


_decode_node = msgspec.json.Decoder(_NodeView).decode


def selector_of(ds: Json) -> selectors.Selector:
    return selectors.from_object(ds["spec"]["selector"])


def _node_changed(event: Event) -> bool:
    """Heartbeats do not matter, labels and taints do."""
    if event.type != "MODIFIED" or event.previous is None:
        return True
    return _decode_node(event.entry.body) != _decode_node(event.previous.body)


class DaemonSetController(Controller):
    """See the package's text."""

    name = "daemonset"
    user = "system:serviceaccount:kube-system:daemon-set-controller"
    watches = (
        Watch(STORAGE, own_key),
        Watch("pods", owners.owner_or_matching_keys("DaemonSet", STORAGE, selector_of)),
        Watch("nodes", keys_of(STORAGE), _node_changed),
        Watch(revisions.STORAGE, owners.owner_key("DaemonSet")),
    )

    def __init__(self) -> None:
        self._recorder = Recorder("daemonset-controller")
        self._pods = PodControl(self._recorder)
        self._ends: dict[tuple[str, str], tuple[int, float]] = {}
        self._retry: Result = None

    def reconcile(self, key: str, ctx: Context) -> Result:
        entry = ctx.cache.get(Key(STORAGE, *split_key(key)))
        if entry is None:
            return None
        ds = entry.object()
        if ds["spec"]["selector"] == {}:
            self._recorder.event(
                ctx.session,
                ds,
                "Warning",
                "SelectingAll",
                "This daemon set is selecting all pods. A non-empty selector is required.",
            )
            return None
        if entry.meta.deletionTimestamp:
            return None
        selector = selector_of(ds)
        known = revisions.of(ctx, ds, selector)
        collisions = (ds.get("status") or {}).get("collisionCount") or 0
        newest, collisions = revisions.newest(ctx, ds, known, revisions.REVISION_LABEL, collisions)
        owners.claim(ctx, ds, "pods", selector)
        look = _look(ctx, ds, revisions.hash_of(newest))
        self._retry = None
        tried, error = self._manage(ctx, look)
        if not tried:
            rolling = update.limits(look.ds, look.desired)
            if rolling is not None:
                tried, error = self._sync(ctx, look, *update.replacements(look, rolling))
        if tried:
            ctx.cache.refresh()
            look = _look(ctx, ds, look.current)
        put_status(ctx, STORAGE, look.ds, update.status(look, collisions))
        live = {look.current, *(placement.hash_label(pod) for found in look.pods.values() for pod in found)}
        revisions.trim(ctx, ds, known, live)
        if error is not None:
            raise error
        staying = (pod for found in look.pods.values() for pod in found if not pod.terminating)
        ready = pods.until_available(staying, ds["spec"].get("minReadySeconds", 0), look.now)
        waits = [wait for wait in (ready, self._retry) if wait is not None]
        return min(waits, default=None)

    def _manage(self, ctx: Context, look: update.Look) -> tuple[bool, ApiError | None]:
        """Bring pods to the nodes that need one; away from those that must not have one."""
        rolling = update.limits(look.ds, look.desired)
        change = placement.changes(look.fits, look.pods, bool(rolling and rolling.surge), look.current)
        finished = [pod for pod in change.finished if self._may_replace(look, pod)]
        for pod in finished:
            where = f"{pod.metadata.namespace}/{pod.name} on node {pod.spec.nodeName}"
            event = (
                ("Warning", "FailedDaemonPod", f"Found failed daemon pod {where}, will try to kill it")
                if pod.phase == "Failed"
                else ("Normal", "SucceededDaemonPod", f"Found succeeded daemon pod {where}, will try to delete it")
            )
            self._recorder.event(ctx.session, look.ds, *event)
        return self._sync(ctx, look, change.create, [*change.delete, *finished])

    def _may_replace(self, look: update.Look, pod: PodView) -> bool:
        """A node on which daemon pods end again and again gets new ones ever more slowly: after 1, 2, 4 … 900 s."""
        place = (look.ds["metadata"]["uid"], pod.spec.nodeName or "")
        count, last = self._ends.get(place, (0, 0.0))
        if look.now - last > 2 * LONGEST_DELAY:
            count = 0
        left = last + min(2.0 ** (count - 1), LONGEST_DELAY) - look.now if count else 0.0
        if left > 0:
            self._retry = min(left, self._retry) if self._retry is not None else left
            return False
        if len(self._ends) >= REMEMBERED:
            self._ends.clear()
        self._ends[place] = count + 1, look.now
        return True

    def _sync(
        self, ctx: Context, look: update.Look, nodes: Sequence[str], doomed: Sequence[PodView]
    ) -> tuple[bool, ApiError | None]:
        error = self._pods.delete(ctx, look.ds, [pod.name for pod in doomed[:BURST]]) if doomed else None
        if nodes:
            wanted = [placement.pod_for(look.ds, node, look.current) for node in nodes[:BURST]]
            error = self._pods.create(ctx, look.ds, wanted)[1] or error
        return bool(nodes or doomed), error


def _look(ctx: Context, ds: Json, current: str) -> update.Look:
    spec = placement.with_tolerations(ds["spec"]["template"]["spec"])
    fits = {entry.key.name: placement.fit(spec, entry.object()) for entry in ctx.cache.list("nodes")}
    placed = [
        (entry.node or placement.node_of(entry.object()["spec"]), pods.view(entry))
        for entry in owners.owned(ctx.cache, ds["metadata"]["uid"], "pods")
    ]
    return update.Look(ds, current, fits, placement.by_node(placed), ctx.now())
