"""patch: an update whose new object is the old one with a patch applied to it."""

from __future__ import annotations

from typing import Any

from cluster.plan import Plan
from cluster.verbs import apply as apply_verb
from cluster.verbs import decode, metadata, update
from cluster.verbs.call import Call, Outcome
from kube import patch
from kube.objects import Json


def plan(call: Call, body: Any, content_type: str) -> Plan[Outcome]:
    """Apply `body`, decoded JSON, a patch of `content_type`. Raises BadRequest, Invalid, UnsupportedMediaType."""
    if content_type == patch.APPLY:
        return (yield from apply_verb.plan(call, body))
    return (yield from update.plan(call, lambda old: apply(call, old, body, content_type)))


def apply(call: Call, old: Json, body: Any, content_type: str) -> Json:
    """The patched object in its storage version, not yet defaulted."""
    kind = call.kind
    before = kind.from_storage(old)
    changed, warnings = patch.apply(kind, before, body, content_type, call.field_validation)
    call.warn(warnings)
    metadata.check_name(call, changed["metadata"])
    decode.check_namespace(call, changed["metadata"])
    return decode.defaulted(call, kind.to_storage(changed))
