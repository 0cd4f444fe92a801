"""ControllerRevisions: the past templates of DaemonSets and StatefulSets, for `kubectl rollout history` and `undo`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import orjson

from controllers import owners, templates
from controllers.runtime import Context
from kube import ownerrefs
from kube.errors import AlreadyExists, NotFound
from kube.objects import Json

if TYPE_CHECKING:
    from kube.selectors import Selector


STORAGE = "controllerrevisions.apps"
REVISION_LABEL = "controller-revision-hash"  # on pods, and on the revisions of daemon sets
HASH_LABEL = "controller.kubernetes.io/hash"  # on the revisions of stateful sets


def of(ctx: Context, owner: Json, selector: Selector) -> list[Json]:
    """The revisions of an owner, oldest first."""
    found = [entry.object() for entry in owners.claim(ctx, owner, STORAGE, selector)]
    return sorted(
        found, key=lambda r: (r["revision"], r["metadata"].get("creationTimestamp") or "", r["metadata"]["name"])
    )


def data_of(owner: Json) -> Json:
    """What a revision keeps: a patch that puts the template back as it was, its keys in order, as Kubernetes writes them."""
    patch = {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}}
    data: Json = orjson.loads(orjson.dumps(patch, option=orjson.OPT_SORT_KEYS))
    return data


def template_of(revision: Json) -> Json:
    """The pod template that a revision kept."""
    return {name: value for name, value in revision["data"]["spec"]["template"].items() if name != "$patch"}


def hash_of(revision: Json) -> str:
    """The hash in the labels of a revision."""
    labels = revision["metadata"].get("labels") or {}
    found: str = labels.get(HASH_LABEL) or labels.get(REVISION_LABEL) or revision["metadata"]["name"].rpartition("-")[2]
    return found


def newest(ctx: Context, owner: Json, revisions: list[Json], hash_label: str, collisions: int) -> tuple[Json, int]:
    """The revision of the owner's template, which gets the highest number, and the count of hash collisions so far.

    It is created if there is none; `revisions` is brought up to date.
    """
    data = data_of(owner)
    equal = [revision for revision in revisions if templates.equal(template_of(revision), owner["spec"]["template"])]
    number = revisions[-1]["revision"] + 1 if revisions else 1
    if not equal:
        created, collisions = _create(ctx, owner, data, number, hash_label, collisions)
        revisions.append(created)
        return created, collisions
    found = equal[-1]
    if found is not revisions[-1]:
        revisions.remove(found)
        found["revision"] = number
        found = ctx.session.update(STORAGE, owner["metadata"]["namespace"], found["metadata"]["name"], found)
        revisions.append(found)
    return found, collisions


def trim(ctx: Context, owner: Json, revisions: Iterable[Json], live: Collection[str]) -> None:
    """Delete the oldest revisions beyond the history limit that no pod and no status uses (`live`: names or hashes)."""
    unused = [r for r in revisions if r["metadata"]["name"] not in live and hash_of(r) not in live]
    surplus = len(unused) - owner["spec"].get("revisionHistoryLimit", 10)
    for revision in unused[: max(surplus, 0)]:
        try:
            ctx.session.delete(STORAGE, owner["metadata"]["namespace"], revision["metadata"]["name"])
        except NotFound:
            continue


def _create(ctx: Context, owner: Json, data: Json, number: int, hash_label: str, collisions: int) -> tuple[Json, int]:
    namespace = owner["metadata"]["namespace"]
    labels = (owner["spec"]["template"].get("metadata") or {}).get("labels") or {}
    kept = {n: v for n, v in (owner["metadata"].get("annotations") or {}).items() if "last-applied" not in n}
    while True:
        value = templates.hashed(templates.bare(owner["spec"]["template"]), collisions)
        meta: Json = {
            "name": f"{owner['metadata']['name'][:223]}-{value}",
            "namespace": namespace,
            "labels": {**labels, hash_label: value},
            "ownerReferences": [ownerrefs.reference(owner)],
            **({"annotations": kept} if kept else {}),
        }
        revision = {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": meta,
            "data": data,
            "revision": number,
        }
        try:
            return ctx.session.create(STORAGE, namespace, revision), collisions
        except AlreadyExists:
            present = ctx.session.get(STORAGE, namespace, meta["name"])
            holder = ownerrefs.controller(present["metadata"]) if present else None
            if present and holder and holder["uid"] == owner["metadata"]["uid"] and present["data"] == data:
                return present, collisions
            collisions += 1
