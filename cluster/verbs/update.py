"""update: read, transform, mutating admission, preparation against the old object, validation, store.

Without a resourceVersion from the client the whole is repeated when somebody else wrote in between. A write that changes
nothing is not written. Taking away the last finalizer of an object being deleted deletes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from cluster.admission import webhooks
from cluster.admission.request import Request
from cluster.cache import Entry
from cluster.plan import Commit, Plan, first
from cluster.store import Write
from cluster.verbs import create, decode, managed, metadata
from cluster.verbs.call import ATTEMPTS, Call, Outcome, ordered
from kube.errors import ClaimTaken, Conflict, FieldError, Invalid, NotFound, invalid
from kube.objects import Json
from kube.registry import Strategy, identity

Transform = Callable[[Json], Json]

# Subresources whose transform itself decides what changes; the kind's rules for updates do not apply.
UNCHECKED = frozenset({"binding", "eviction", "finalize"})


def replace(call: Call, obj: Json) -> Plan[Outcome]:
    """PUT: the object as the client wants it. Creates an absent one where the kind allows that."""
    obj = decode.incoming(call, obj)
    metadata.require_name(call, obj["metadata"])
    if call.session.read(call.key) is None and not call.subresource and call.storage_kind.strategy.create_on_update:
        obj["metadata"].pop("resourceVersion", None)
        return (yield from create.plan(call, call.kind.from_storage(obj)))
    text = orjson.dumps(obj)

    def transform(old: Json) -> Json:
        new: Json = orjson.loads(text)
        metadata.check_uid(call, new["metadata"], old["metadata"])
        return new

    return (yield from plan(call, transform))


def plan(call: Call, transform: Transform) -> Plan[Outcome]:
    """Read, `transform`, write; `transform` gets its own copy of the old object, both in the storage version."""
    for attempt in range(ATTEMPTS):
        entry = call.session.read(call.key)
        if entry is None:
            raise call.not_found()
        as_stored, read = entry.object(), call.storage_kind.from_storage
        old = as_stored if read is identity else read(entry.object())
        new = transform(read(entry.object()))
        _check_revision(call, new, entry)
        new, request = yield from prepare(call, new, old)
        # Compared with what lies in the store: writing an object back unchanged is how it is brought to a new version.
        if _same(new, as_stored):
            return Outcome(entry.body)
        if call.dry_run:
            return Outcome(orjson.dumps(ordered(new, call.storage_kind)))
        results = yield _commit(call, new, entry, request)
        try:
            return Outcome(first(results).body, gone=is_finished(new))
        except NotFound as error:
            raise call.not_found() from error
        except (Conflict, ClaimTaken) as error:
            # Once more, on the newer object; a client that named the version it replaces is refused there.
            if attempt == ATTEMPTS - 1:
                raise call.conflict() from error
    raise call.conflict()


def prepare(call: Call, new: Json, stored: Json) -> Plan[tuple[Json, Request]]:
    """The new object as it would be stored, and the admission request with its further writes."""
    kind, context, session = call.storage_kind, call.context(), call.session
    if call.subresource in UNCHECKED:
        metadata.carry(new["metadata"], stored["metadata"])
        metadata.enforce(new["metadata"], stored["metadata"])
        return new, Request.of(call, "UPDATE", new, stored)
    old = decode.plain(kind, orjson.loads(orjson.dumps(stored)))
    metadata.carry(decode.plain(kind, new)["metadata"], old["metadata"])
    kind.strategy.default(new)
    managed.updated(call, new, old)
    request = Request.of(call, "UPDATE", new, old)
    session.chain.mutate(request)
    if (yield from webhooks.mutate(request)):
        session.chain.mutate(request)
    new = request.obj
    method(kind.strategy, "prepare", call.subresource)(new, old, context)
    errors: list[FieldError] = method(kind.strategy, "validate", call.subresource)(new, old, context)
    if errors:
        raise call.invalid(call.name, errors)
    metadata.enforce(new["metadata"], old["metadata"])
    call.warn(kind.strategy.warnings(new, old, context))
    decode.complete(kind, new)
    yield from webhooks.validate(request)
    session.chain.validate(request)
    return new, request


def method(strategy: Strategy, step: str, subresource: str) -> Callable[..., Any]:
    """The strategy's method for a step (`prepare`, `validate`) of an update, of the whole object or of a subresource."""
    own = getattr(strategy, f"{step}_{subresource}_update", None) if subresource else None
    found: Callable[..., Any] = own or getattr(strategy, f"{step}_update")
    return found


def is_finished(obj: Json) -> bool:
    """Whether nothing keeps an object that is being deleted: no finalizer, no grace."""
    meta = obj["metadata"]
    return bool(
        meta.get("deletionTimestamp")
        and not meta.get("finalizers")
        and not meta.get("deletionGracePeriodSeconds")
        and not (obj.get("kind") == "Namespace" and (obj.get("spec") or {}).get("finalizers"))
    )


def _check_revision(call: Call, new: Json, entry: Entry) -> None:
    """Raises Conflict when the client names a version to replace, and that is not the newest; Invalid when it must."""
    sent = new["metadata"].pop("resourceVersion", None)
    revision = decode.parse_revision(sent)
    if revision == 0:
        if not call.storage_kind.strategy.unconditional_update:
            raise Invalid(
                call.kind.plural,
                call.name,
                [invalid("metadata.resourceVersion", 0, "must be specified for an update")],
                call.kind.group,
            )
    elif revision != entry.revision:
        raise call.conflict()


def _same(new: Json, old: Json) -> bool:
    stamp = old["metadata"].get("resourceVersion")
    if stamp is not None:
        new["metadata"]["resourceVersion"] = stamp
    if new == old:
        return True
    owners, before = new["metadata"].get("managedFields"), old["metadata"].get("managedFields")
    # That it was applied again at another time is no change: an apply that is repeated would never come to rest.
    return owners != before and _timeless(new) == _timeless(old)


def _timeless(obj: Json) -> Json:
    owners = [{**entry, "time": ""} for entry in obj["metadata"].get("managedFields") or ()]
    return {**obj, "metadata": {**obj["metadata"], "managedFields": owners}}


def _commit(call: Call, new: Json, entry: Entry, request: Request) -> Commit:
    kind = call.storage_kind
    write = Write(
        "delete" if is_finished(new) else "update",
        entry.key,
        ordered(new, kind),
        entry.revision,
        kind.strategy.claims(new),
    )
    return Commit([write, *request.writes], atomic=bool(request.writes))
