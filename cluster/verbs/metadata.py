"""The part of `metadata` that the server owns: names it generates, uid, times, what an update may not touch."""

from __future__ import annotations

import random

from cluster.verbs.call import Call
from kube import clock, names
from kube.errors import ApiError, BadRequest, Conflict
from kube.objects import Json
from kube.registry import keep

_FILLED = ("uid", "deletionGracePeriodSeconds", "name", "namespace")
_OWNED = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "name", "namespace")


def fill(meta: Json) -> None:
    """Metadata of a new object: name, uid, time of creation; nothing of what only the server may set."""
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion", "generation"):
        meta.pop(name, None)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = names.generated(meta["generateName"])
    identify(meta)
    drop_empty(meta)


def new_uid() -> str:
    """A random UUID (RFC 9562, version 4). To be different, not to be secret: without a call of the kernel."""
    bits = random.getrandbits(128) & ~(0xF << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def identify(meta: Json) -> None:
    """A uid and the time of creation."""
    meta["uid"] = new_uid()
    meta["creationTimestamp"] = clock.now()


def drop_empty(meta: Json) -> None:
    """Empty maps and lists of metadata are as good as absent."""
    for name in ("labels", "annotations", "ownerReferences", "finalizers", "managedFields", "generateName", "selfLink"):
        if name in meta and not meta[name]:
            del meta[name]


def carry(meta: Json, old: Json) -> None:
    """Fill metadata of a write over `old` with what the client left out. What it changed is for validation to refuse."""
    for name in _FILLED:
        if not meta.get(name) and name in old:
            meta[name] = old[name]
    if "deletionTimestamp" in old:
        meta["deletionTimestamp"] = old["deletionTimestamp"]
    keep(meta, old, "creationTimestamp")
    keep(meta, old, "generation")
    drop_empty(meta)


def enforce(meta: Json, old: Json) -> None:
    """Whatever validation let through: identity, place and deletion of an object are the server's."""
    for name in _OWNED:
        keep(meta, old, name)


def check_uid(call: Call, meta: Json, old: Json) -> None:
    """A uid in a PUT is a precondition. Raises Conflict."""
    if meta.get("uid") and meta["uid"] != old["uid"]:
        raise Conflict(
            call.kind.plural,
            call.name,
            call.kind.group,
            f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {old['uid']}",
        )


def require_name(call: Call, meta: Json) -> None:
    """The body of a PUT must carry the name of the request. Raises BadRequest."""
    if not meta.get("name"):
        raise BadRequest(f"the name of the object ({call.name} based on URL) was undeterminable: name must be provided")
    check_name(call, meta)


def check_name(call: Call, meta: Json) -> None:
    """The name in the body must be that of the request."""
    name = meta.get("name")
    if not name:
        meta["name"] = call.name
    elif name != call.name:
        raise ApiError(
            f"the name of the object ({name}) does not match the name on the URL ({call.name})",
            code=400,
            reason="BadRequest",
        )
