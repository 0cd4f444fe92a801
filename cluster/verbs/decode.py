"""From what a client sent to an object that the pipeline can work on: right kind, right place, storage version, defaults."""

from __future__ import annotations

from typing import Any

import orjson

from cluster.verbs.call import Call
from kube import schema
from kube.errors import ApiError, BadRequest, Invalid, invalid
from kube.objects import Json
from kube.registry import Kind
from kube.validation import repeats

_REPEATED_OWNERS = (
    ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject "
    "such requests as early as 1.24; please fix your requests"
)


def incoming(call: Call, obj: Json) -> Json:
    """The object in its storage version with defaults. Raises BadRequest, Invalid."""
    kind = call.kind
    if schema.is_custom(kind.definition):
        check_custom_kind(call, obj)
    check_kind(obj, kind.api_version, kind.kind)
    check_schema(call, obj)
    obj.setdefault("metadata", {})
    if not isinstance(obj["metadata"], dict):
        raise BadRequest("metadata must be an object")
    check_namespace(call, obj["metadata"])
    leave_out_repeated_owners(call, obj["metadata"])
    return defaulted(call, kind.to_storage(obj))


def defaulted(call: Call, obj: Json) -> Json:
    """The object in its storage version, defaults filled in."""
    kind = call.storage_kind
    obj["kind"], obj["apiVersion"] = kind.kind, kind.api_version
    kind.strategy.default(obj)
    return obj


def leave_out_repeated_owners(call: Call, meta: Json) -> None:
    """Each owner once: an entry that says the same again is left out, and told."""
    owners = meta.get("ownerReferences")
    if not isinstance(owners, list) or len(owners) < 2:
        return
    repeated = set(repeats([orjson.dumps(owner, option=orjson.OPT_SORT_KEYS) for owner in owners]))
    if repeated:
        meta["ownerReferences"] = [owner for i, owner in enumerate(owners) if i not in repeated]
        names = ", ".join(sorted({str(owners[i].get("uid", "")) for i in repeated}))
        call.warn([f"{_REPEATED_OWNERS}; duplicate UID(s) observed: {names}"])


def check_schema(call: Call, obj: Json) -> None:
    """Types, canonical forms and unknown fields, by the OpenAPI definition of the kind; changes `obj` in place."""
    if not call.kind.definition:
        return
    try:
        call.warn(schema.decode_fields(call.kind, obj, call.field_validation, call.problems))
    except schema.Mismatch as error:
        raise schema.cannot_handle(call.kind, obj, error.message()) from error


def plain(kind: Kind, obj: Json) -> Json:
    """A stored object without what `complete` added: the form in which strategies see objects. In place."""
    if kind.definition and not schema.is_custom(kind.definition):
        schema.normalise(kind.definition, obj)
    return obj


def complete(kind: Kind, obj: Json) -> Json:
    """The object with the empty fields that Kubernetes shows: the form in which it is stored. In place."""
    if kind.definition:
        schema.fill(kind.definition, obj)
    return obj


def check_kind(obj: Json, api_version: str, kind: str) -> None:
    """Fill in apiVersion and kind, or refuse those of another kind."""
    sent_version, sent_kind = obj.get("apiVersion") or api_version, obj.get("kind") or kind
    if (sent_version, sent_kind) == (api_version, kind):
        obj["apiVersion"], obj["kind"] = api_version, kind
    elif sent_kind == kind:
        raise BadRequest(
            f"the API version in the data ({sent_version}) does not match the expected API version ({api_version})"
        )
    else:
        raise BadRequest(
            f'no kind "{sent_kind}" is registered for version "{sent_version}" at this path: it takes {kind}'
        )


def check_custom_kind(call: Call, obj: Json) -> None:
    """Bodies of custom kinds name their kind; another one is an invalid value, not an unknown type."""
    sent = obj.get("kind")
    if not sent:
        text = orjson.dumps(obj).decode()
        raise BadRequest(
            f"the object provided is unrecognized (must be of type {call.kind.kind}): Object 'Kind' is missing "
            f"in '{text[:200]}'"
        )
    if sent != call.kind.kind and obj.get("apiVersion") == call.kind.api_version:
        raise Invalid(
            str(sent),
            str((obj.get("metadata") or {}).get("name", "")),
            [invalid("kind", sent, f"must be {call.kind.kind}")],
            call.kind.group,
        )


def check_namespace(call: Call, meta: Json) -> None:
    """Fill in the namespace of the request, or refuse another one."""
    if not call.kind.namespaced:
        return
    if not meta.get("namespace"):
        meta["namespace"] = call.namespace
    elif meta["namespace"] != call.namespace:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")


def parse_revision(text: Any) -> int:
    """A resourceVersion as a number, 0 for none. Raises ApiError on anything else."""
    if not text:
        return 0
    if isinstance(text, str) and text.isascii() and text.isdigit():
        return int(text)
    raise ApiError(f'strconv.ParseUint: parsing "{text}": invalid syntax', code=400, reason="BadRequest")
