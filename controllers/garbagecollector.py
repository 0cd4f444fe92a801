"""Deletes objects whose owners are gone, and carries out foreground and orphaning deletions.

The key is any object ("storage|namespace|name"). What may have become garbage when an object went is found through the
cache's index by owner uid, so there is no graph to keep; a resync at start looks at everything once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cluster.cache import Cache, Entry, Event, Owner
from cluster.store import Key
from controllers.runtime import Context, Controller, Outcomes, Result, Watch
from controllers.writes import change, lift_finalizer
from kube import ownerrefs
from kube.errors import ApiError, Conflict, NotFound
from kube.registry import of_cluster

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
LOOK_AGAIN = 5.0  # seconds, while dependents block a foreground deletion; their end sends a sign, too


class Owners(NamedTuple):
    """An object's owners by what became of them; `waiting` ones are being deleted in the foreground."""

    solid: list[Owner]
    dangling: list[Owner]
    waiting: list[Owner]


def to_key(key: Key) -> str:
    return "|".join(key)


def from_key(text: str) -> Key:
    return Key(*text.split("|", 2))


def concerned(entry: Entry, cache: Cache) -> Iterable[str]:
    """Mapper: the object if it has owners or waits for us; its dependents when it is gone or goes in the foreground."""
    gone = cache.get(entry.key) is None
    finalizers = entry.meta.finalizers or ()
    if not gone and (entry.owners or ORPHAN in finalizers or FOREGROUND in finalizers):
        yield to_key(entry.key)
    if gone or (entry.meta.deletionTimestamp and FOREGROUND in finalizers):
        yield from (to_key(dependent.key) for dependent in cache.by_owner(entry.meta.uid))
    if gone or entry.meta.deletionTimestamp:
        for owner in entry.owners:  # one of them may wait for this object to go
            found = _find(cache, entry, owner, cache.store.cluster)
            if found is not None and FOREGROUND in (found.meta.finalizers or ()):
                yield to_key(found.key)


def matters(event: Event) -> bool:
    """Owners change rarely: a change that leaves owners, finalizers and deletion as they were is of no interest."""
    old, new = event.previous, event.entry
    if event.type == "DELETED" or old is None:
        return True
    return (old.meta.ownerReferences, old.meta.finalizers, old.meta.deletionTimestamp) != (
        new.meta.ownerReferences,
        new.meta.finalizers,
        new.meta.deletionTimestamp,
    )


class GarbageCollector(Controller):
    """See the module's docstring."""

    name = "garbagecollector"
    user = "system:serviceaccount:kube-system:generic-garbage-collector"
    watches = (Watch("*", concerned, matters),)
    batch = 500

    def reconcile(self, key: str, ctx: Context) -> Result:
        outcome = self.reconcile_many([key], ctx).get(key)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def reconcile_many(self, keys: Sequence[str], ctx: Context) -> Outcomes:
        """Decide for each object; plain deletions are carried out together, in one commit a policy."""
        outcomes: Outcomes = {}
        doomed: dict[str, list[tuple[str, Entry]]] = {}
        for key in keys:
            entry = ctx.cache.get(from_key(key))
            if entry is None:
                continue
            try:
                outcomes[key], policy = _process(ctx, entry)
            except Exception as error:  # decides the retry of this key; the others go on
                outcomes[key] = error
                continue
            if policy:
                doomed.setdefault(policy, []).append((key, entry))
        for policy, objects in doomed.items():
            # Not a successor that has the name now.
            current = [
                (key, entry)
                for key, entry in objects
                if (present := ctx.cache.get(entry.key)) is not None and present.meta.uid == entry.meta.uid
            ]
            results = ctx.session.delete_many(
                [(e.key.storage, e.key.namespace, e.key.name) for _, e in current], {"propagationPolicy": policy}
            )
            for (key, _), result in zip(current, results, strict=True):
                if isinstance(result, ApiError) and not isinstance(result, NotFound | Conflict):
                    outcomes[key] = result
        return outcomes


def _process(ctx: Context, entry: Entry) -> tuple[Result, str]:
    """Do what an object needs; returns (when to look again, the policy to delete it with or "")."""
    finalizers = entry.meta.finalizers or ()
    if entry.meta.deletionTimestamp:
        if ORPHAN in finalizers:
            # Cut the dependents loose, then let the object go.
            for dependent in ctx.cache.by_owner(entry.meta.uid):
                _forget_owners(ctx, dependent, {entry.meta.uid})
            lift_finalizer(ctx, entry, ORPHAN)
        elif FOREGROUND in finalizers:
            return _foreground(ctx, entry), ""
        return None, ""
    if not entry.owners:
        return None, ""
    owners = classify(ctx, entry)
    if owners.solid:
        gone = {owner.uid for owner in (*owners.dangling, *owners.waiting)}
        if gone:
            _forget_owners(ctx, entry, gone)
        return None, ""
    if owners.waiting and any(not d.meta.deletionTimestamp for d in ctx.cache.by_owner(entry.meta.uid)):
        return None, "Foreground"
    if owners.waiting or owners.dangling:
        return None, "Orphan" if ORPHAN in finalizers else "Foreground" if FOREGROUND in finalizers else "Background"
    return None, ""


def classify(ctx: Context, entry: Entry) -> Owners:
    """Sort the owners. One of an unknown kind counts as solid: its definition may only be missing for now."""
    owners = Owners([], [], [])
    for owner in entry.owners:
        if ctx.session.registry.by_gvk(owner.apiVersion, owner.kind) is None:
            owners.solid.append(owner)
            continue
        found = _find(ctx.cache, entry, owner, ctx.session.cluster)
        if found is None:
            owners.dangling.append(owner)
        elif found.meta.deletionTimestamp and FOREGROUND in (found.meta.finalizers or ()):
            owners.waiting.append(owner)
        else:
            owners.solid.append(owner)
    return owners


def _find(cache: Cache, entry: Entry, owner: Owner, cluster: int) -> Entry | None:
    """The owner, if it exists with the uid of the reference; owners are in the same namespace or in none."""
    kind = of_cluster(cluster).by_gvk(owner.apiVersion, owner.kind)
    if kind is None:
        return None
    found = cache.get(Key(kind.storage, entry.key.namespace if kind.namespaced else "", owner.name))
    return found if found is not None and found.meta.uid == owner.uid else None


def _foreground(ctx: Context, entry: Entry) -> Result:
    """Delete the dependents; the object goes when none is left that blocks it."""
    dependents = ctx.cache.by_owner(entry.meta.uid)
    blocking = [d for d in dependents if any(o.uid == entry.meta.uid and o.blockOwnerDeletion for o in d.owners)]
    if not blocking:
        lift_finalizer(ctx, entry, FOREGROUND)
        return None
    for dependent in dependents:
        if not dependent.meta.deletionTimestamp and classify(ctx, dependent).solid:
            _forget_owners(ctx, dependent, {entry.meta.uid})
    # The others are deleted under their own keys, which the mapper names beside this one.
    return LOOK_AGAIN


def _forget_owners(ctx: Context, entry: Entry, uids: set[str]) -> None:
    change(ctx, entry.key, entry.meta.uid, lambda obj: ownerrefs.remove(obj["metadata"], uids))
