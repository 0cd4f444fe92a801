"""create: defaults, mutating admission, metadata, validation, validating admission, store.

Many objects that differ in their generated name only (the pods of a ReplicaSet) pass the pipeline once: `plans`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from cluster.admission import webhooks
from cluster.admission.request import Request
from cluster.plan import Commit, Plan, first
from cluster.store import Key, Write
from cluster.verbs import decode, managed, metadata
from cluster.verbs.call import ATTEMPTS, Call, Outcome, ordered
from kube import names
from kube.errors import AlreadyExists, ApiError, BadRequest, ClaimTaken, Conflict, invalid
from kube.objects import Json


@dataclass(slots=True)
class Template:
    """What the pipeline made of an object with a generated name: JSON, empty when it does not hold for another one."""

    text: bytes = b""


def plans(objects: Iterable[tuple[Call, Json]]) -> Iterator[Plan[Outcome]]:
    """A plan for each object, to be started in order: one equal to its predecessor takes over what became of that."""
    before: tuple[Any, bytes] | None = None
    template = Template()
    for call, obj in objects:
        text = orjson.dumps(obj)
        same = (call.kind, call.namespace), text
        if same == before and template.text:
            yield like(call, template)
        else:
            before, template = same, Template()
            yield plan(call, orjson.loads(text), template)


def like(call: Call, template: Template) -> Plan[Outcome]:
    """Create another one of what a template was made from a moment ago, under a name of its own."""
    storage = call.storage_kind.storage
    for _ in range(ATTEMPTS):
        obj: Json = orjson.loads(template.text)
        meta = obj["metadata"]
        meta["name"] = names.generated(meta["generateName"])
        metadata.identify(meta)
        results = yield Commit([Write("create", Key(storage, meta.get("namespace", ""), meta["name"]), obj)])
        try:
            return Outcome(first(results).body, created=True, written=obj)
        except AlreadyExists:
            continue
    raise call.exists(meta["name"])


def plan(call: Call, obj: Json, template: Template | None = None) -> Plan[Outcome]:
    """Create `obj` (of the call's API version; it is changed). Raises AlreadyExists, Invalid, Forbidden.

    Fills in `template` if what is written would do for other objects too: no name, claim or count that is its own.
    """
    meta = obj.get("metadata")
    if isinstance(meta, dict) and meta.get("resourceVersion"):
        raise BadRequest("resourceVersion should not be set on objects to be created")
    obj = decode.incoming(call, obj)
    managed.created(call, obj)
    generated = not obj["metadata"].get("name")
    original = orjson.dumps(obj)
    for attempt in range(ATTEMPTS):
        obj = orjson.loads(original) if attempt else obj
        obj, request = yield from prepare(call, obj)
        if call.dry_run:
            return Outcome(orjson.dumps(ordered(obj, call.storage_kind)), created=True)
        commit = _commit(call, obj, request)
        alike = generated and not request.reviewed and len(commit.writes) == 1 and not commit.writes[0].claims
        if template is not None and alike:
            template.text = orjson.dumps(commit.writes[0].body)
        results = yield commit
        try:
            return Outcome(first(results).body, created=True, written=commit.writes[0].body)
        except AlreadyExists as error:
            if not generated:
                raise call.exists(obj["metadata"]["name"]) from error
        except (ClaimTaken, Conflict) as error:
            # Another object took the address, or a quota moved on: choose and count again, from a newer view.
            if attempt == ATTEMPTS - 1:
                raise _taken(call, obj, error) from error
            call.session.cache.refresh()
    raise call.exists(obj["metadata"]["name"])


def prepare(call: Call, obj: Json) -> Plan[tuple[Json, Request]]:
    """The object as it would be stored, and the admission request with its further writes."""
    session, kind, context = call.session, call.storage_kind, call.context()
    request = Request.of(call, "CREATE", obj)
    session.chain.mutate(request)
    if (yield from webhooks.mutate(request)):
        session.chain.mutate(request)  # what a webhook adds gets what all get: a container its token, and its limits
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
    # A quota is not charged, and a dry run does not succeed, for what exists; the store decides in the end.
    if session.cache.get(call.key._replace(name=request.name)):
        raise call.exists(request.name)
    yield from webhooks.validate(request)
    session.chain.validate(request)
    return obj, request


def _commit(call: Call, obj: Json, request: Request) -> Commit:
    kind = call.storage_kind
    key = Key(kind.storage, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
    write = Write("create", key, ordered(obj, kind), claims=kind.strategy.claims(obj))
    return Commit([write, *request.writes], atomic=bool(request.writes))


def _taken(call: Call, obj: Json, error: ApiError) -> ApiError:
    if isinstance(error, ClaimTaken):
        return call.invalid(
            obj["metadata"]["name"], [invalid(error.scope, error.value, "provided value is already allocated")]
        )
    return error
