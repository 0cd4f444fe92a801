"""create: defaults, mutating admission, metadata, validation, validating admission, store."""

from __future__ import annotations

from typing import Any

import orjson

from cluster.admission.request import Request
from cluster.errors import AlreadyExists, ApiError, BadRequest, ClaimTaken, Conflict
from cluster.store import Key, Write
from cluster.verbs import decode, managed, metadata
from cluster.verbs.call import ATTEMPTS, Call, Outcome, ordered
from cluster.verbs.plan import Commit, Plan, first

Json = dict[str, Any]


def plan(call: Call, obj: Json) -> Plan[Outcome]:
    """Create `obj` (of the call's API version; it is changed). Raises AlreadyExists, Invalid, Forbidden."""
    if (obj.get("metadata") or {}).get("resourceVersion"):
        raise BadRequest("resourceVersion should not be set on objects to be created")
    obj = decode.incoming(call, obj)
    managed.created(call, obj)
    generated = not obj["metadata"].get("name")
    original = orjson.dumps(obj)
    for attempt in range(ATTEMPTS):
        obj = orjson.loads(original) if attempt else obj
        obj, request = prepare(call, obj)
        if call.dry_run:
            return Outcome(orjson.dumps(ordered(obj, call.storage_kind)), created=True)
        results = yield _commit(call, obj, request)
        try:
            return Outcome(first(results).body, created=True)
        except AlreadyExists as error:
            if not generated:
                raise call.exists(obj["metadata"]["name"]) from error
        except (ClaimTaken, Conflict) as error:
            # Another object took the address, or a quota moved on: choose and count again, from a newer view.
            if attempt == ATTEMPTS - 1:
                raise _taken(call, obj, error) from error
            call.session.cache.refresh()
    raise call.exists(obj["metadata"]["name"])


def prepare(call: Call, obj: Json) -> tuple[Json, Request]:
    """The object as it would be stored, and the admission request with its further writes."""
    session, kind, context = call.session, call.storage_kind, call.context()
    request = Request.of(call, "CREATE", obj)
    session.chain.mutate(request)
    obj = request.obj
    metadata.fill(obj["metadata"])
    kind.strategy.prepare_create(obj, context)
    if not kind.namespaced:
        obj["metadata"].pop("namespace", None)
    errors = kind.strategy.validate(obj, context)
    if errors:
        raise call.invalid(obj["metadata"].get("name", ""), errors)
    call.warn(kind.strategy.warnings(obj, None, context))
    decode.complete(kind, obj)
    request.name = obj["metadata"]["name"]
    _check_absent(call, request.name)
    session.chain.validate(request)
    return obj, request


def _check_absent(call: Call, name: str) -> None:
    # A quota is not charged, and a dry run does not succeed, for what exists; the store decides in the end.
    if call.session.cache.get(call.key._replace(name=name)):
        raise call.exists(name)


def _commit(call: Call, obj: Json, request: Request) -> Commit:
    kind = call.storage_kind
    key = Key(kind.storage, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
    write = Write("create", key, ordered(obj, kind), claims=kind.strategy.claims(obj))
    return Commit([write, *request.writes], atomic=bool(request.writes))


def _taken(call: Call, obj: Json, error: ApiError) -> ApiError:
    if isinstance(error, ClaimTaken):
        from cluster.errors import invalid

        return call.invalid(obj["metadata"]["name"], [invalid(error.scope, error.value, "provided value is already "
                                                                                        "allocated")])
    return error
