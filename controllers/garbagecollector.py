"""Deletes objects whose owners are gone, and carries out foreground and orphaning deletions.

The key is any object ("storage|namespace|name"). What may have become garbage when an object went is found through the
cache's index by owner uid, so there is no graph to keep; a sweep looks at everything now and then, so that no order of
events leaves anything behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cluster.cache import Cache, Entry, Event, Owner
from cluster.events import Recorder
from cluster.store import Key
from controllers.runtime import Context, Controller, Outcomes, Result, Watch
from controllers.writes import change, lift_finalizer
from kube import ownerrefs
from kube.errors import ApiError, NotFound
from kube.registry import of_cluster

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
LOOK_AGAIN = 5.0  # seconds, while dependents block a foreground deletion; their end sends a sign, too
SWEEP = "sweep"  # the key of the look at everything
SWEEP_SECONDS = 60.0


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
    present = cache.get(entry.key)
    gone = present is None or present.meta.uid != entry.meta.uid  # another may have the name by now
    if entry.key.storage == "namespaces":
        yield SWEEP
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

    def __init__(self) -> None:
        self._recorder = Recorder("garbage-collector-controller")
        self._swept = 0.0

    def reconcile(self, key: str, ctx: Context) -> Result:
        outcome = self.reconcile_many([key], ctx).get(key)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def reconcile_many(self, keys: Sequence[str], ctx: Context) -> Outcomes:
        """Decide for each object; plain deletions are carried out together, in one commit a policy."""
        outcomes: Outcomes = {}
        doomed: dict[str, list[tuple[str, Entry]]] = {}
        elsewhere: dict[str, bool] = {}
        wanted = dict.fromkeys(keys)
        if SWEEP in wanted:
            del wanted[SWEEP]
            if self._swept + SWEEP_SECONDS <= ctx.now():
                self._swept = ctx.now()
                wanted.update(dict.fromkeys(garbage(ctx)))
            outcomes[SWEEP] = self._swept + SWEEP_SECONDS - ctx.now()
        for key in wanted:
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
                self._tell_of_namespaces(ctx, entry, elsewhere)
        for policy, objects in doomed.items():
            results = ctx.session.delete_many(
                [(e.key.storage, e.key.namespace, e.key.name) for _, e in objects],
                {"propagationPolicy": policy},
                [e.meta.uid for _, e in objects],  # not a successor that has the name now
            )
            for (key, _), result in zip(objects, results, strict=True):
                if isinstance(result, ApiError) and not isinstance(result, NotFound):
                    outcomes[key] = result  # a Conflict, too: whoever wrote meanwhile need not have told us
        return outcomes

    def _tell_of_namespaces(self, ctx: Context, entry: Entry, elsewhere: dict[str, bool]) -> None:
        """Warn of an owner that is in another namespace. `elsewhere` keeps by uid what was found for other dependents."""
        for owner in entry.owners:
            if owner.uid not in elsewhere:
                elsewhere[owner.uid] = _is_elsewhere(ctx, owner, entry.key.namespace)
            if elsewhere[owner.uid]:
                about = (
                    f"[{owner.apiVersion}/{owner.kind}, namespace: {entry.key.namespace}, "
                    f"name: {owner.name}, uid: {owner.uid}]"
                )
                message = f'ownerRef {about} does not exist in namespace "{entry.key.namespace}"'
                self._recorder.event(ctx.session, entry.object(), "Warning", "OwnerRefInvalidNamespace", message)


def garbage(ctx: Context) -> Iterator[str]:
    """The objects that an absent owner left behind, or that wait for us."""
    for storage in ctx.cache.stored():
        for entry in ctx.cache.list(storage):
            waits = entry.meta.deletionTimestamp and {ORPHAN, FOREGROUND}.intersection(entry.meta.finalizers or ())
            if waits or (not entry.meta.deletionTimestamp and entry.owners and classify(ctx, entry).dangling):
                yield to_key(entry.key)


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
    """Sort the owners.

    One of an unknown kind counts as solid: its definition may only be missing for now. So does one in a namespace of an
    object that is in none: nobody can tell which namespace is meant.
    """
    owners = Owners([], [], [])
    for owner in entry.owners:
        kind = ctx.session.registry.by_gvk(owner.apiVersion, owner.kind)
        if kind is None or (kind.namespaced and not entry.key.namespace):
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


def _is_elsewhere(ctx: Context, owner: Owner, namespace: str) -> bool:
    """Whether the owner exists in a namespace, but not in this one."""
    kind = ctx.session.registry.by_gvk(owner.apiVersion, owner.kind)
    if kind is None or not kind.namespaced:
        return False
    places = (Key(kind.storage, other.key.name, owner.name) for other in ctx.cache.list("namespaces"))
    return any(
        found.meta.uid == owner.uid
        for place in places
        if place.namespace != namespace and (found := ctx.cache.get(place)) is not None
    )


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
