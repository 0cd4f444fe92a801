"""apply: server-side apply. The configuration is merged into the object; an absent object is created from it."""

from __future__ import annotations

import copy

import orjson

from cluster.plan import Plan
from cluster.verbs import create, decode, managed, metadata, update
from cluster.verbs.call import Call, Outcome
from kube import managedfields
from kube.errors import AlreadyExists, BadRequest, Conflict
from kube.objectmeta import LAST_APPLIED, check_annotations
from kube.objects import Json

KUBECTL = "kubectl"


def plan(call: Call, config: Json) -> Plan[Outcome]:
    """Apply a configuration. Raises BadRequest, 409 on conflicts with other managers, NotFound for a subresource."""
    check(call, config)
    call.applied = True
    if call.session.read(call.key) is None and not call.subresource:
        try:
            return (yield from create.plan(call, created(call, config)))
        except AlreadyExists:  # somebody else's creation came first: apply to that
            call.session.cache.refresh()
    return (yield from update.plan(call, lambda live: merged(call, config, live)))


def check(call: Call, config: Json) -> None:
    """The configuration must be of the kind and name of the request, and must not claim owners."""
    kind, meta = call.kind, config.get("metadata") or {}
    version, name = config.get("apiVersion") or "", config.get("kind") or ""
    if (version, name) != (kind.api_version, kind.kind):
        shown = str(version)
        raise BadRequest(f"invalid object type: {shown if '/' in shown else '/' + shown}, Kind={name}")
    if not isinstance(meta, dict) or meta.get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    config["metadata"] = meta
    metadata.check_name(call, meta)
    decode.check_namespace(call, meta)


def created(call: Call, config: Json) -> Json:
    """The new object. Raises Conflict where the configuration names the uid of an object that is gone."""
    meta = config["metadata"]
    if meta.get("uid"):
        raise Conflict(
            call.kind.plural,
            call.name,
            call.kind.group,
            f"uid mismatch: the provided object specified uid {meta['uid']}, and no existing object was found",
        )
    obj = _apply(call, None, copy.deepcopy(config))
    obj["metadata"].pop("resourceVersion", None)
    return obj


def merged(call: Call, config: Json, live: Json) -> Json:
    """The live object with the configuration applied, defaults filled in."""
    kind = call.kind
    before = decode.plain(kind, kind.from_storage(live))
    obj = _apply(call, before, copy.deepcopy(config))
    note_last_applied(call, obj, config)
    decode.check_schema(call, obj)
    return decode.defaulted(call, kind.to_storage(obj))


def note_last_applied(call: Call, obj: Json, config: Json) -> None:
    """Keep what kubectl's client-side apply goes by, where it has been at work, in step with kubectl's server-side apply.

    Other managers leave the annotation alone; so does the real server (fieldmanager/lastappliedupdater.go).
    """
    annotations = obj["metadata"].get("annotations") or {}
    if call.field_manager != KUBECTL or call.part or LAST_APPLIED not in annotations:
        return
    applied = copy.deepcopy(config)
    (applied["metadata"].get("annotations") or {}).pop(LAST_APPLIED, None)
    annotations[LAST_APPLIED] = orjson.dumps(applied, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    if check_annotations("metadata.annotations", annotations):  # too large for this one
        del annotations[LAST_APPLIED]


def _apply(call: Call, live: Json | None, config: Json) -> Json:
    kind = call.kind
    return managedfields.apply(
        live, config, managed.writer(call, "Apply"), kind.definition, kind.strategy.status, call.force
    )
