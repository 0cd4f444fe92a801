"""Writes that controllers have in common: a status, an object as it stands now or is made, a finalizer that goes.

An object that is gone is no error: its deletion is a change like any other, and the next look sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cluster.store import Key
from kube.errors import AlreadyExists, Forbidden, NotFound
from kube.objects import Json

if TYPE_CHECKING:
    from cluster.cache import Entry
    from controllers.runtime import Context


def put_status(ctx: Context, storage: str, obj: Json, status: Json) -> Json | None:
    """Give an object, as it was read, this status if it has another; returns it as it is stored, None if it is gone.

    Raises Conflict when somebody wrote in between, and so the key is looked at again: others may have counted in that
    very status, as an eviction does in a budget and a creation in a quota.
    """
    if status == (obj.get("status") or {}):
        return obj
    meta = obj["metadata"]
    try:
        written: Json = ctx.session.update(
            storage, meta.get("namespace", ""), meta["name"], {**obj, "status": status}, "status"
        )
    except NotFound:
        return None
    return written


def change(
    ctx: Context, key: Key, uid: str, edit: Callable[[Json], Json | None], subresource: str | None = None
) -> Json | None:
    """Edit an object as it stands now, whoever wrote meanwhile; None if it is gone or another one has its name now."""

    def checked(obj: Json) -> Json | None:
        if obj["metadata"]["uid"] != uid:
            raise NotFound(key.storage, key.name)
        return edit(obj)

    try:
        written: Json = ctx.session.mutate(key.storage, key.namespace, key.name, checked, subresource)
    except NotFound:
        return None
    return written


def create(ctx: Context, storage: str, namespace: str, obj: Json) -> None:
    """Create an object of a namespace; somebody was faster, or the namespace goes away: both are fine."""
    try:
        ctx.session.create(storage, namespace, obj)
    except (AlreadyExists, NotFound):
        return
    except Forbidden:
        entry = ctx.cache.get(Key("namespaces", "", namespace))
        if entry is not None and not entry.meta.deletionTimestamp:
            raise


def lift_finalizer(ctx: Context, entry: Entry, finalizer: str) -> None:
    """Take a finalizer from an object that has it."""
    if finalizer in (entry.meta.finalizers or ()):
        change(ctx, entry.key, entry.meta.uid, lambda obj: drop_finalizer(obj["metadata"], finalizer))


def drop_finalizer(part: Json, finalizer: str) -> None:
    """Remove a finalizer from `finalizers` of an object's metadata, or of a namespace's spec."""
    left = [name for name in part.get("finalizers") or () if name != finalizer]
    if left:
        part["finalizers"] = left
    else:
        part.pop("finalizers", None)
