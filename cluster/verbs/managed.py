"""The seam to field management: who set which field (`metadata.managedFields`).

Called after decoding and defaults, before admission: what admission and the server add belongs to nobody.
"""

from __future__ import annotations

from cluster.verbs.call import Call
from kube import managedfields
from kube.managedfields import Writer
from kube.objects import Json


def created(call: Call, obj: Json) -> None:
    """Note the owner of a new object's fields, where a client named itself; what it claims about others is dropped."""
    if call.applied:
        return
    obj["metadata"].pop("managedFields", None)
    if call.field_manager and call.storage_kind.definition:
        kind = call.storage_kind
        entries = managedfields.creation(obj, writer(call), kind.definition, kind.strategy.status)
        if entries:
            obj["metadata"]["managedFields"] = entries


def updated(call: Call, obj: Json, old: Json) -> None:
    """Note what a write changed, in an object whose fields have owners."""
    if call.applied:
        return
    sent = obj["metadata"].pop("managedFields", None)
    held = old["metadata"].get("managedFields")
    if not held or sent == [{}] or not call.storage_kind.definition:  # [{}] is how a client asks to forget all owners
        return
    base = {**old, "metadata": {**old["metadata"], "managedFields": managedfields.accepted(sent) or held}}
    entries = managedfields.update(
        base, obj, writer(call), call.storage_kind.definition, call.storage_kind.strategy.status
    )
    if entries:
        obj["metadata"]["managedFields"] = entries


def writer(call: Call, operation: str = "Update") -> Writer:
    """Who makes this call: the client's name for itself, in-process the last part of the user's."""
    manager = call.field_manager or call.session.user.name.rsplit(":", 1)[-1]
    return Writer(manager, call.storage_kind.api_version, operation, call.part or call.subresource)
