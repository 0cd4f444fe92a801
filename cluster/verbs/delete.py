"""delete: gone at once, or marked with a deletionTimestamp while grace or finalizers hold it.

1. preconditions (uid, resourceVersion); 2. the finalizers that the propagation policy wants; 3. grace, for pods; 4. with
grace or finalizers left the mark, else the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from cluster.admission import webhooks
from cluster.admission.request import Request
from cluster.cache import Entry
from cluster.plan import Commit, Plan, first
from cluster.store import Write
from cluster.verbs.call import ATTEMPTS, Call, Outcome, ordered
from kube import clock
from kube.errors import Conflict, Invalid, NotFound, invalid, not_supported
from kube.objects import Json
from kube.pods import podutil

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
# Kinds whose dependents stay when the client says nothing: kept so for clients older than the garbage collector.
ORPHANS_BY_DEFAULT = frozenset({"jobs.batch", "replicationcontrollers"})
# Kinds for which a finished deletion answers with the object instead of a Status.
RETURNS_OBJECT = frozenset(
    {
        "pods",
        "services",
        "serviceaccounts",
        "persistentvolumes",
        "persistentvolumeclaims",
        "resourcequotas",
        "podtemplates",
    }
)
_POLICIES = ("Background", "Foreground", "Orphan")


def plan(call: Call, options: Json) -> Plan[Outcome]:
    """Delete one object under DeleteOptions. Raises NotFound, Conflict, Invalid, Forbidden."""
    check_options(options)
    for attempt in range(ATTEMPTS):
        entry = call.session.read(call.key, to_delete=True)
        if entry is None:
            raise call.not_found()
        old = entry.object()
        check_preconditions(call, options.get("preconditions") or {}, old)
        request = Request.of(call, "DELETE", old, old)
        yield from webhooks.mutate(request)
        yield from webhooks.validate(request)
        call.session.chain.validate(request)
        if attempt == 0:
            call.warn(_orphan_warning(call, options))
        new, end = mark(call, entry, options)
        if new == old and not end:
            return Outcome(entry.body)
        if call.dry_run:
            return _outcome(call, orjson.dumps(ordered(new, call.storage_kind)), new, end)
        results = yield Commit(
            [
                Write("delete" if end else "update", entry.key, ordered(new, call.storage_kind), entry.revision),
                *request.writes,
            ],
            atomic=bool(request.writes),
        )
        try:
            return _outcome(call, first(results).body, new, end)
        except NotFound as error:
            raise call.not_found() from error
        except Conflict as error:
            if attempt == ATTEMPTS - 1:
                raise call.conflict() from error
    raise call.conflict()


def check_options(options: Json) -> None:
    """Raises Invalid for contradictory DeleteOptions."""
    policy = options.get("propagationPolicy")
    errors = []
    if policy is not None and options.get("orphanDependents") is not None:
        errors.append(
            invalid("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set")
        )
    elif policy is not None and policy not in _POLICIES:
        errors.append(not_supported("propagationPolicy", policy, [*_POLICIES, "nil"]))
    if errors:
        raise Invalid("DeleteOptions", "", errors, "meta.k8s.io")


def check_preconditions(call: Call, wanted: Json, old: Mapping[str, Any]) -> None:
    meta = old["metadata"]
    if wanted.get("uid") and wanted["uid"] != meta["uid"]:
        raise Conflict(
            call.kind.kind,
            call.name,
            call.kind.group,
            f"the UID in the precondition ({wanted['uid']}) does not match the UID in record ({meta['uid']}). "
            "The object might have been deleted and then recreated",
        )
    if wanted.get("resourceVersion") and wanted["resourceVersion"] != meta["resourceVersion"]:
        raise Conflict(
            call.kind.kind,
            call.name,
            call.kind.group,
            f"the ResourceVersion in the precondition ({wanted['resourceVersion']}) does not match the "
            f"ResourceVersion in record ({meta['resourceVersion']}). The object might have been modified",
        )


def _orphan_warning(call: Call, options: Json) -> list[str]:
    if call.kind.storage != "jobs.batch" or options.get("propagationPolicy") or "orphanDependents" in options:
        return []
    return [
        "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or "
        "set propagationPolicy=Orphan to suppress this warning"
    ]


def mark(call: Call, entry: Entry, options: Json) -> tuple[Json, bool]:
    """The object as the deletion leaves it, and whether that is the end of it."""
    obj = entry.object()
    meta = obj["metadata"]
    grace = grace_period(entry.key.storage, obj, options)
    _set_finalizers(entry.key.storage, meta, options)
    if not meta.get("deletionTimestamp"):
        call.storage_kind.strategy.prepare_delete(obj)
    if meta.get("deletionTimestamp"):
        # A second deletion may only shorten the time that is left.
        given = meta.get("deletionGracePeriodSeconds") or 0
        if "gracePeriodSeconds" in options and grace < given:
            meta["deletionTimestamp"] = clock.stamp(clock.parse(meta["deletionTimestamp"]) - given + grace)
            meta["deletionGracePeriodSeconds"] = grace
    elif grace or meta.get("finalizers") or entry.key.storage in ("pods", "namespaces"):
        meta["deletionTimestamp"] = clock.stamp(clock.parse(clock.now()) + grace)
        meta["deletionGracePeriodSeconds"] = grace
        if meta.get("generation"):
            meta["generation"] += 1
    if entry.key.storage == "namespaces":
        obj.setdefault("status", {})["phase"] = "Terminating"
        meta.pop("deletionGracePeriodSeconds", None)
        held = meta.get("finalizers") or (obj.get("spec") or {}).get("finalizers")
    else:
        held = meta.get("finalizers") or meta.get("deletionGracePeriodSeconds")
    return obj, not held


def grace_period(storage: str, obj: Json, options: Json) -> int:
    """Seconds that a pod gets to stop; 0 for what runs nowhere, and for all other kinds."""
    if storage != "pods":
        return 0
    if not (obj.get("spec") or {}).get("nodeName") or podutil.finished(obj):
        return 0
    grace = options.get("gracePeriodSeconds")
    if grace is None:
        grace = podutil.own_grace_period(obj)
    return max(grace, 1) if grace < 0 else grace


def _set_finalizers(storage: str, meta: Json, options: Json) -> None:
    held = meta.get("finalizers") or []
    wanted = _wanted_finalizer(storage, held, options)
    finalizers = [f for f in held if f not in (ORPHAN, FOREGROUND) or f == wanted]
    if wanted and wanted not in finalizers:
        finalizers.append(wanted)
    if finalizers:
        meta["finalizers"] = finalizers
    else:
        meta.pop("finalizers", None)


def _wanted_finalizer(storage: str, held: list[str], options: Json) -> str:
    policy, orphan = options.get("propagationPolicy"), options.get("orphanDependents")
    if policy is not None:
        return {"Orphan": ORPHAN, "Foreground": FOREGROUND}.get(policy, "")
    if orphan is not None:
        return ORPHAN if orphan else ""
    for finalizer in (ORPHAN, FOREGROUND):
        if finalizer in held:
            return finalizer
    return ORPHAN if storage in ORPHANS_BY_DEFAULT else ""


def _outcome(call: Call, body: bytes, new: Json, end: bool) -> Outcome:
    answer = deleted_status(call, new) if end and call.kind.storage not in RETURNS_OBJECT else None
    return Outcome(body, gone=end, status=answer)


def deleted_status(call: Call, obj: Json) -> Json:
    """The Status that says which object was deleted."""
    details = {
        "name": obj["metadata"]["name"],
        "group": call.kind.group,
        "kind": call.kind.plural,
        "uid": obj["metadata"]["uid"],
    }
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {name: value for name, value in details.items() if value},
    }
