"""eviction: delete a pod if its disruption budget allows one more disruption, and count it there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.cache import Entry
from cluster.plan import Commit, Plan, first
from cluster.store import Write
from cluster.verbs import delete
from cluster.verbs.call import ATTEMPTS, Call, ordered
from kube import clock, conditions, selectors
from kube.errors import ApiError, Conflict, NotFound, TooManyRequests
from kube.objects import Json
from kube.pods import podutil

if TYPE_CHECKING:
    from kube.shapes import PodLike

BUDGETS = "poddisruptionbudgets.policy"
REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."


def plan(call: Call, options: Json) -> Plan[Json]:
    """Evict a pod; `options` are the Eviction's deleteOptions. Raises TooManyRequests when the budget is used up."""
    for attempt in range(ATTEMPTS):
        entry = call.session.read(call.key)
        if entry is None:
            raise call.not_found()
        pod = entry.object()
        # Pods that run nothing may always go.
        budget = None if podutil.phase(pod) == "Pending" or not podutil.active(pod) else _budget(call, entry)
        charged = _charge(budget.object(), pod) if budget is not None and not _exempt(budget.object(), pod) else None
        if call.dry_run:
            break
        writes = _writes(call, entry, pod, options)
        if charged is not None and budget is not None:
            kind = call.session.kind(BUDGETS)
            writes.append(Write("update", budget.key, ordered(charged, kind), budget.revision))
        results = yield Commit(writes, atomic=True)
        try:
            first(results)
            break
        except NotFound as error:
            raise call.not_found() from error
        except Conflict:
            if attempt == ATTEMPTS - 1:
                raise
            call.session.cache.refresh()
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _budget(call: Call, entry: Entry) -> Entry | None:
    found = []
    for budget in call.session.cache.list(BUDGETS, entry.key.namespace):
        selector = (budget.object().get("spec") or {}).get("selector")
        if selector is not None and selectors.from_object(selector).matches(entry.labels):
            found.append(budget)
    if len(found) > 1:
        raise ApiError(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            code=500,
            reason="",
        )
    return found[0] if found else None


def _exempt(budget: Json, pod: PodLike) -> bool:
    """Whether an unready pod may go without counting: always with AlwaysAllow, else when enough are healthy."""
    if podutil.ready(pod):
        return False
    status = budget.get("status") or {}
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    return bool(status.get("desiredHealthy", 0) > 0 and status.get("currentHealthy", 0) >= status["desiredHealthy"])


def _charge(budget: Json, pod: PodLike) -> Json:
    """The budget with one disruption less; raises TooManyRequests when it has none to give."""
    status, name = budget.setdefault("status", {}), budget["metadata"]["name"]
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise _refused(f"The disruption budget {name} is still being processed by the server.", 10)
    allowed = status.get("disruptionsAllowed", 0)
    if allowed <= 0:
        raise _refused(
            f"The disruption budget {name} needs {status.get('desiredHealthy', 0)} healthy pods and has "
            f"{status.get('currentHealthy', 0)} currently",
            0,
        )
    status["disruptionsAllowed"] = allowed - 1
    status.setdefault("disruptedPods", {})[pod["metadata"]["name"]] = clock.now()
    return budget


def _refused(message: str, seconds: int) -> TooManyRequests:
    return TooManyRequests(REFUSED, seconds, {"causes": [{"reason": "DisruptionBudget", "message": message}]})


def _writes(call: Call, entry: Entry, pod: PodLike, options: Json) -> list[Write]:
    delete.check_options(options)
    delete.check_preconditions(call, options.get("preconditions") or {}, pod)
    new, end = delete.mark(call, entry, options)
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    conditions.update(new.setdefault("status", {}), condition)
    kind = call.storage_kind
    return [Write("delete" if end else "update", entry.key, ordered(new, kind), entry.revision)]
