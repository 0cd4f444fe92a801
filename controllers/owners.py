"""Who manages what: controller references, adoption of orphans, release of what no longer matches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from cluster.cache import Cache, Entry
from cluster.store import Key
from controllers.runtime import Context, join_key
from controllers.writes import change, drop_finalizer
from kube import ownerrefs
from kube.errors import Conflict, Invalid
from kube.objects import Json

if TYPE_CHECKING:
    from kube.selectors import Selector


def owner_key(kind: str) -> Callable[[Entry, Cache], Iterable[str]]:
    """Mapper: the key of the managing owner, if it is of that kind."""

    def keys(entry: Entry, cache: Cache) -> Iterable[str]:
        owner = entry.controller
        return (join_key(entry.key.namespace, owner.name),) if owner is not None and owner.kind == kind else ()

    return keys


def owner_or_matching_keys(
    kind: str, storage: str, selector: Callable[[Json], Selector]
) -> Callable[..., Iterable[str]]:
    """Mapper: the managing owner; for an orphan with labels, every object of `storage` whose selector matches it."""

    def keys(entry: Entry, cache: Cache) -> Iterable[str]:
        owner = entry.controller
        if owner is not None:
            return (join_key(entry.key.namespace, owner.name),) if owner.kind == kind else ()
        if not entry.labels:
            return ()
        candidates = cache.list(storage, entry.key.namespace)
        return [join_key(*c.key[1:]) for c in candidates if selector(c.object()).matches(entry.labels)]

    return keys


def claim(ctx: Context, owner: Json, storage: str, selector: Selector, finalizer: str = "") -> list[Entry]:
    """The objects of `storage` that `owner` manages: released if they stopped matching, orphans that match adopted.

    An owner that is being deleted adopts nothing. A change in between is left to the next look. What is adopted gets the
    finalizer, and what is released loses it.
    """
    meta = owner["metadata"]
    alive = not meta.get("deletionTimestamp")
    held, changed = [], False
    for entry in owned(ctx.cache, meta["uid"], storage):
        if selector.matches(entry.labels):
            held.append(entry)
        elif alive:
            changed |= _change(ctx, entry, lambda obj: _release(obj["metadata"], meta["uid"], finalizer))
    if alive:
        for entry in orphans(ctx.cache, storage, meta["namespace"], selector):
            changed |= _adopt(ctx, owner, entry, finalizer)
    if not changed:
        return held
    ctx.cache.refresh()
    return [e for e in owned(ctx.cache, meta["uid"], storage) if selector.matches(e.labels)]


def owned(cache: Cache, uid: str, storage: str) -> list[Entry]:
    """The objects of `storage` that the owner with this uid manages."""
    return [entry for entry in cache.by_owner(uid) if entry.key.storage == storage and _manager(entry) == uid]


def orphans(cache: Cache, storage: str, namespace: str, selector: Selector) -> list[Entry]:
    """Objects without a manager, not being deleted, that the selector matches."""
    return [
        entry
        for entry in cache.list(storage, namespace)
        if not _manager(entry) and not entry.meta.deletionTimestamp and selector.matches(entry.labels)
    ]


def _manager(entry: Entry) -> str:
    """The uid of the managing owner, "" without (`Entry.controller`, for loops over thousands)."""
    for reference in entry.meta.ownerReferences or ():
        if reference.controller:
            return reference.uid
    return ""


def _release(meta: Json, uid: str, finalizer: str) -> None:
    ownerrefs.remove(meta, {uid})
    drop_finalizer(meta, finalizer)


def _adopt(ctx: Context, owner: Json, entry: Entry, finalizer: str) -> bool:
    current = ctx.cache.get(Key(entry.key.storage, *entry.key[1:]))
    if current is None or current.controller is not None:
        return False

    def add(obj: Json) -> None:
        if ownerrefs.controller(obj["metadata"]) is None:
            meta = obj["metadata"]
            ownerrefs.remove(meta, {owner["metadata"]["uid"]})
            meta["ownerReferences"] = [*meta.get("ownerReferences", ()), ownerrefs.reference(owner)]
            if finalizer:
                meta["finalizers"] = [*dict.fromkeys((*meta.get("finalizers", ()), finalizer))]

    return _change(ctx, entry, add)


def _change(ctx: Context, entry: Entry, edit: Callable[[Json], None]) -> bool:
    try:
        return change(ctx, entry.key, entry.meta.uid, edit) is not None
    except (Invalid, Conflict):  # it may not change any more: nothing to claim
        return False
