"""The replica sets of a deployment: which is the new one, how it is made, and the revision each one carries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from controllers import templates
from controllers.deployment.sizes import DESIRED, MAXIMUM, REVISION, max_surge, new_size, replicas
from kube import ownerrefs
from kube.objectmeta import LAST_APPLIED
from kube.objects import Json, whole

HISTORY = "deployment.kubernetes.io/revision-history"
_NOT_COPIED = frozenset({LAST_APPLIED, "deprecated.deployment.rollback.to", REVISION, HISTORY, DESIRED, MAXIMUM})


def by_age(sets: Iterable[Json]) -> list[Json]:
    """Oldest first, by name among those of one second."""
    return sorted(sets, key=lambda rs: (rs["metadata"].get("creationTimestamp") or "", rs["metadata"]["name"]))


def find_new(d: Json, sets: Iterable[Json]) -> Json | None:
    """The replica set with the template of the deployment; of several, the oldest."""
    return next((rs for rs in by_age(sets) if templates.equal(rs["spec"]["template"], d["spec"]["template"])), None)


def revision_of(obj: Json) -> int:
    """The revision in an object's annotations, 0 without."""
    text = (obj["metadata"].get("annotations") or {}).get(REVISION, "")
    return whole(text) or 0


def next_revision(old: Iterable[Json]) -> int:
    return max((revision_of(rs) for rs in old), default=0) + 1


def make_new(d: Json, sets: Sequence[Json]) -> Json:
    """The new replica set, not yet created."""
    template = templates.bare(d["spec"]["template"])
    value = templates.hashed(template, (d.get("status") or {}).get("collisionCount"))
    template = templates.with_label(template, templates.HASH_LABEL, value)
    selector = dict(d["spec"]["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), templates.HASH_LABEL: value}
    spec: Json = {"replicas": new_size(d, sets, None), "selector": selector, "template": template}
    if d["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = d["spec"]["minReadySeconds"]
    rs: Json = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{d['metadata']['name']}-{value}",
            "namespace": d["metadata"]["namespace"],
            "labels": dict(template["metadata"]["labels"]),
            "ownerReferences": [ownerrefs.reference(d)],
        },
        "spec": spec,
    }
    annotate(d, rs, next_revision(sets))
    put_sizes(d, rs)
    return rs


def annotate(d: Json, rs: Json, revision: int) -> bool:
    """Give a replica set the annotations of the deployment and the revision; True if that changed something."""
    notes = rs["metadata"].setdefault("annotations", {})
    before = dict(notes)
    for name, value in (d["metadata"].get("annotations") or {}).items():
        if name not in _NOT_COPIED:
            notes[name] = value
    held = revision_of(rs)
    if held < revision:
        if held:
            history = [part for part in notes.get(HISTORY, "").split(",") if part]
            notes[HISTORY] = ",".join([*history, str(held)])
        notes[REVISION] = str(revision)
    return bool(notes != before)


def put_sizes(d: Json, rs: Json) -> bool:
    """Note on a replica set for which size of the deployment it was sized; True if that changed something."""
    notes = rs["metadata"].setdefault("annotations", {})
    wanted = {DESIRED: str(replicas(d)), MAXIMUM: str(replicas(d) + max_surge(d))}
    if all(notes.get(name) == value for name, value in wanted.items()):
        return False
    notes.update(wanted)
    return True


def superfluous(d: Json, old: Iterable[Json]) -> list[Json]:
    """Old replica sets beyond the history limit, lowest revision first, that are at rest."""
    limit = d["spec"].get("revisionHistoryLimit")
    if limit is None:
        return []
    candidates = sorted((rs for rs in old if not rs["metadata"].get("deletionTimestamp")), key=revision_of)
    surplus = candidates[: max(len(candidates) - limit, 0)]
    return [rs for rs in surplus if _at_rest(rs)]


def _at_rest(rs: Json) -> bool:
    status = rs.get("status") or {}
    observed = status.get("observedGeneration", 0) >= rs["metadata"].get("generation", 0)
    return observed and not status.get("replicas") and replicas(rs) == 0
