"""The status of PodDisruptionBudgets: how many pods are healthy, how many must be, how many may go."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.cache import Cache, Entry, Event
from cluster.store import Key
from controllers import pods
from controllers.runtime import Context, Controller, Result, Watch, join_key, keys_of, own_key, split_key
from controllers.writes import put_status
from kube import clock, conditions, selectors
from kube.objects import Json
from kube.quantity import share

STORAGE = "poddisruptionbudgets.policy"
DELETION_SECONDS = 120.0  # an evicted pod that is not gone after this was not evicted after all
SCALES = {
    "Deployment": "deployments.apps",
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
    "ReplicationController": "replicationcontrollers",
}


def _budget_keys(entry: Entry, cache: Cache) -> Iterable[str]:
    """Mapper: the budgets that cover a pod."""
    for budget in cache.list(STORAGE, entry.key.namespace):
        selector = (budget.object().get("spec") or {}).get("selector")
        if selectors.from_object(selector).matches(entry.labels):
            yield join_key(*budget.key[1:])


def _pod_matters(event: Event) -> bool:
    if event.previous is None or event.type != "MODIFIED":
        return True
    old, new = pods.view(event.previous), pods.view(event.entry)
    return (old.ready, old.phase, old.terminating, event.previous.labels) != (
        new.ready,
        new.phase,
        new.terminating,
        event.entry.labels,
    )


class DisruptionController(Controller):
    """Key: a budget."""

    name = "disruption"
    user = "system:serviceaccount:kube-system:disruption-controller"
    watches = (
        Watch(STORAGE, own_key),
        Watch("pods", _budget_keys, _pod_matters),
        *(Watch(storage, keys_of(STORAGE)) for storage in SCALES.values()),
    )

    def reconcile(self, key: str, ctx: Context) -> Result:
        namespace, name = split_key(key)
        entry = ctx.cache.get(Key(STORAGE, namespace, name))
        if entry is None or entry.meta.deletionTimestamp:
            return None
        budget = entry.object()
        selector = selectors.from_object((budget.get("spec") or {}).get("selector"))
        covered = [e for e in ctx.cache.list("pods", namespace) if selector.matches(e.labels)]
        status = wanted_status(budget, covered, ctx.cache, ctx.now())
        put_status(ctx, STORAGE, budget, status)
        return DELETION_SECONDS if status.get("disruptedPods") else None


def wanted_status(budget: Json, covered: list[Entry], cache: Cache, now: float) -> Json:
    """The whole status of a budget over the pods it covers."""
    old = budget.get("status") or {}
    active = [entry for entry in covered if not pods.view(entry).finished]
    # Evicted pods that the deletion has not reached yet.
    alive = {entry.key.name for entry in active if not entry.meta.deletionTimestamp}
    disrupted = {
        name: at
        for name, at in (old.get("disruptedPods") or {}).items()
        if name in alive and clock.parse(at) + DELETION_SECONDS > now
    }
    healthy = sum(pods.view(e).ready and not e.meta.deletionTimestamp and e.key.name not in disrupted for e in active)
    expected, desired = needs(budget, active, cache)
    allowed = max(healthy - desired, 0) if expected > 0 else 0
    status: Json = {
        "observedGeneration": budget["metadata"].get("generation", 0),
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
    }
    if disrupted:
        status["disruptedPods"] = disrupted
    if old.get("conditions"):
        status["conditions"] = list(old["conditions"])
    value, reason = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    conditions.put(status, "DisruptionAllowed", value, reason, "", now)
    for condition in status["conditions"]:
        if condition["type"] == "DisruptionAllowed":
            condition.setdefault("message", "")
            condition["observedGeneration"] = status["observedGeneration"]
    return status


def needs(budget: Json, active: list[Entry], cache: Cache) -> tuple[int, int]:
    """(pods that should exist, pods that must be healthy)."""
    spec = budget.get("spec") or {}
    most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
    if most is not None:
        expected = _expected(active, cache)
        return expected, max(expected - share(most, expected), 0)
    if isinstance(least, str):
        expected = _expected(active, cache)
        return expected, share(least, expected)
    return len(active), least or 0


def _expected(active: list[Entry], cache: Cache) -> int:
    """The replicas that the pods' controllers want in total; a pod without one counts for itself."""
    scales: dict[str, int] = {}
    for entry in active:
        # The topmost workload that manages the pod.
        current, replicas = entry, 1
        while (owner := current.controller) is not None and owner.kind in SCALES:
            found = cache.get(Key(SCALES[owner.kind], entry.key.namespace, owner.name))
            if found is None or found.meta.uid != owner.uid:
                break
            current, replicas = found, (found.object().get("spec") or {}).get("replicas", 1)
        scales[current.meta.uid] = replicas
    return sum(scales.values())
