"""ReplicaSets and, by the same rules, ReplicationControllers: keep a number of pods of one template.

1. claim the pods that the selector matches, release the others;
2. create or delete up to a burst of pods until as many are active as wanted;
3. write the status when it changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cluster.events import Recorder
from cluster.store import Key
from controllers import owners, pods, ranking
from controllers.podcontrol import BURST, PodControl, copies, from_template, namespace_ends
from controllers.pods import PodView
from controllers.runtime import Context, Controller, Result, Watch, own_key, split_key
from controllers.writes import put_status
from kube import conditions, ownerrefs, selectors
from kube.errors import ApiError, Conflict
from kube.objects import Json


def rs_selector(rs: Json) -> selectors.Selector:
    return selectors.from_object(rs["spec"]["selector"])


class ReplicaSetController(Controller):
    """See the module's text. The ReplicationController overrides the class attributes."""

    name = "replicaset"
    user = "system:serviceaccount:kube-system:replicaset-controller"
    storage = "replicasets.apps"
    component = "replicaset-controller"
    selector: Callable[[Json], selectors.Selector] = staticmethod(rs_selector)
    watches: tuple[Watch, ...] = (
        Watch("replicasets.apps", own_key),
        Watch("pods", owners.owner_or_matching_keys("ReplicaSet", "replicasets.apps", rs_selector)),
    )

    def __init__(self) -> None:
        self._pods = PodControl(Recorder(self.component))

    def reconcile(self, key: str, ctx: Context) -> Result:
        entry = ctx.cache.get(Key(self.storage, *split_key(key)))
        if entry is None:
            return None
        rs = entry.object()
        held = pods.views(owners.claim(ctx, rs, "pods", self.selector(rs)))
        error, changed = None, False
        if not entry.meta.deletionTimestamp:
            error, changed = self._manage(ctx, rs, held)
        if changed:
            ctx.cache.refresh()
            held = pods.views(owners.owned(ctx.cache, entry.meta.uid, "pods"))
        try:
            put_status(ctx, self.storage, rs, status(rs, held, error, ctx.now()))
        except Conflict:
            if error is None:
                raise
        if error is not None and not namespace_ends(error):
            raise error
        if changed and abs(_difference(rs, held)) > 0:
            return 0.0  # more than one burst
        active = (pod for pod in held if pod.active)
        return pods.until_available(active, rs["spec"].get("minReadySeconds", 0), ctx.now())

    def _manage(self, ctx: Context, rs: Json, held: Sequence[PodView]) -> tuple[ApiError | None, bool]:
        """Create or delete pods; returns the error that stopped it and whether anything was tried."""
        difference = _difference(rs, held)
        if difference == 0:
            return None, False
        if difference < 0:
            wanted = copies(from_template(rs["spec"]["template"], rs), min(-difference, BURST))
            return self._pods.create(ctx, rs, wanted)[1], True
        active = [pod for pod in held if pod.active]
        chosen = ranking.doomed(active, self._related(ctx, rs, active), min(difference, BURST), ctx.now())
        return self._pods.delete(ctx, rs, [pod.name for pod in chosen]), True

    def _related(self, ctx: Context, rs: Json, active: list[PodView]) -> list[PodView]:
        """Active pods of all replica sets of the same owner."""
        owner = ownerrefs.controller(rs["metadata"])
        if owner is None:
            return active
        siblings = owners.owned(ctx.cache, owner["uid"], self.storage)
        entries = [entry for sibling in siblings for entry in owners.owned(ctx.cache, sibling.meta.uid, "pods")]
        return [pod for pod in pods.views(entries) if pod.active]


def _difference(rs: Json, held: Sequence[PodView]) -> int:
    """Active pods minus wanted ones."""
    surplus: int = sum(pod.active for pod in held) - rs["spec"].get("replicas", 1)
    return surplus


def status(rs: Json, held: Sequence[PodView], error: ApiError | None, now: float) -> Json:
    """The status of a replica set with these pods. Counters that are zero are absent, as the API writes them."""
    labels = (rs["spec"]["template"].get("metadata") or {}).get("labels") or {}
    min_ready = rs["spec"].get("minReadySeconds", 0)
    active = [pod for pod in held if pod.active]
    ready = [pod for pod in active if pod.ready]
    counts = {
        "fullyLabeledReplicas": sum(labels.items() <= pod.metadata.labels.items() for pod in active),
        "readyReplicas": len(ready),
        "availableReplicas": sum(pod.available_in(min_ready, now) == 0 for pod in ready),
    }
    new: Json = {"replicas": len(active)}
    new.update({name: count for name, count in counts.items() if count})
    if rs["kind"] == "ReplicaSet":
        new["terminatingReplicas"] = sum(pod.terminating and not pod.finished for pod in held)
    new["observedGeneration"] = rs["metadata"].get("generation", 0)
    if (rs.get("status") or {}).get("conditions"):
        new["conditions"] = rs["status"]["conditions"]
    if error is None:
        conditions.remove(new, "ReplicaFailure")
    elif conditions.find(new, "ReplicaFailure") is None:
        reason = "FailedCreate" if _difference(rs, held) < 0 else "FailedDelete"
        conditions.put(new, "ReplicaFailure", "True", reason, str(error), now)
    return {name: new[name] for name in sorted(new)}
