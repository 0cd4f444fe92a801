"""Deletes what a namespace holds before the namespace itself goes, and says in its conditions what is still there.

Pods go first, and the rest when there are none: what they use is there until they have ended.
"""

from __future__ import annotations

from collections import Counter

from cluster.cache import Entry
from cluster.store import Key
from controllers.runtime import Context, Controller, Result, Watch, going, is_going, own_key
from controllers.writes import change, drop_finalizer
from kube import conditions
from kube.errors import ApiError, NotFound
from kube.objects import Json
from kube.registry import Kind

FINALIZER = "kubernetes"
# Seconds: content that goes sends no sign to the namespace. What finalizers hold takes others' work, so less often.
LOOK_AGAIN, LOOK_AGAIN_HELD = 0.5, 5.0


class NamespaceController(Controller):
    """Key: a namespace."""

    name = "namespace"
    user = "system:serviceaccount:kube-system:namespace-controller"
    watches = (Watch("namespaces", own_key, is_going),)

    def reconcile(self, key: str, ctx: Context) -> Result:
        entry = going(ctx, Key("namespaces", "", key))
        if entry is None or FINALIZER not in ((entry.object().get("spec") or {}).get("finalizers") or []):
            return None
        failures = []
        found = content(ctx, key)
        for kind, entries in [pair for pair in found if pair[0].storage == "pods"] or found:
            waiting = [(kind.storage, key, e.key.name) for e in entries if not e.meta.deletionTimestamp]
            if waiting:
                results = ctx.session.delete_many(waiting, {"propagationPolicy": "Background"})
                failures += [str(r) for r in results if isinstance(r, ApiError) and not isinstance(r, NotFound)]
        ctx.cache.refresh()
        left = content(ctx, key)
        if left or failures:
            _report(ctx, entry, left, failures)
            if found and found[0][0].storage == "pods" and left and left[0][0].storage != "pods":
                return 0.0  # the pods are gone: now the rest
            return LOOK_AGAIN_HELD if all(e.meta.finalizers for _, entries in left for e in entries) else LOOK_AGAIN

        def lift(namespace: Json) -> None:
            drop_finalizer(namespace.setdefault("spec", {}), FINALIZER)

        change(ctx, entry.key, entry.meta.uid, lift, "finalize")  # without other finalizers it is gone with ours
        return None


def content(ctx: Context, namespace: str) -> list[tuple[Kind, list[Entry]]]:
    """The kinds that have objects in a namespace, with these. Pods come first, events last: deletions make some."""
    found = []
    for storage in ctx.cache.stored():
        kind = ctx.session.registry.by_storage(storage)
        if kind is not None and kind.namespaced and (entries := ctx.cache.list(storage, namespace)):
            found.append((kind, entries))
    return sorted(found, key=lambda pair: (pair[0].storage != "pods", pair[0].storage == "events", pair[0].storage))


def _report(ctx: Context, entry: Entry, left: list[tuple[Kind, list[Entry]]], failures: list[str]) -> None:
    def write(namespace: Json) -> None:
        status = namespace.setdefault("status", {})
        status["phase"] = "Terminating"
        for type, value, reason, message in describe(left, failures):
            old = conditions.find(status, type)
            if old is not None and old.get("message") != message:
                old["reason"] = ""  # the same condition with other numbers: let `put` replace it
            conditions.put(status, type, value, reason, message, ctx.now())
        order = [type for type, *_ in describe(left, failures)]
        status["conditions"].sort(key=lambda c: order.index(c["type"]) if c["type"] in order else len(order))

    change(ctx, entry.key, entry.meta.uid, write, "status")


def describe(left: list[tuple[Kind, list[Entry]]], failures: list[str]) -> list[tuple[str, str, str, str]]:
    """The conditions (type, status, reason, message) of a namespace that is being emptied."""
    remaining = ", ".join(f"{kind.plural}.{kind.group} has {len(entries)} resource instances" for kind, entries in left)
    finalizers = Counter(f for _, entries in left for entry in entries for f in entry.meta.finalizers or ())
    held = ", ".join(f"{finalizer} in {count} resource instances" for finalizer, count in sorted(finalizers.items()))
    return [
        ("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            "True",
            "ContentDeletionFailed",
            "Failed to delete all resource types, " + f"{len(failures)} remaining: " + "; ".join(failures[:5]),
        )
        if failures
        else (
            "NamespaceDeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        ("NamespaceContentRemaining", "True", "SomeResourcesRemain", f"Some resources are remaining: {remaining}")
        if left
        else ("NamespaceContentRemaining", "False", "ContentRemoved", "All content successfully removed"),
        (
            "NamespaceFinalizersRemaining",
            "True",
            "SomeFinalizersRemain",
            f"Some content in the namespace has finalizers remaining: {held}",
        )
        if held
        else (
            "NamespaceFinalizersRemaining",
            "False",
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished",
        ),
    ]
