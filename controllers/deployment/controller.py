"""The steps of a deployment: claim its replica sets, then pause, scale, recreate or roll, then tell the status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cluster.cache import Cache, Entry
from cluster.events import Recorder
from cluster.store import Key
from controllers import owners, pods, templates
from controllers.deployment import revisions, sizes, status
from controllers.deployment.sizes import replicas
from controllers.runtime import Context, Controller, Result, Watch, join_key, own_key, split_key
from controllers.writes import put_status
from kube import conditions, ownerrefs, selectors
from kube.errors import AlreadyExists, ApiError, NotFound
from kube.objects import Json

STORAGE, SETS = "deployments.apps", "replicasets.apps"


def selector_of(d: Json) -> selectors.Selector:
    return selectors.from_object(d["spec"]["selector"])


def _of_pod(entry: Entry, cache: Cache) -> Iterable[str]:
    """Mapper: the deployment above a pod's replica set."""
    owner = entry.controller
    if owner is not None and owner.kind == "ReplicaSet":
        rs = cache.get(Key(SETS, entry.key.namespace, owner.name))
        if rs is not None and rs.controller is not None and rs.controller.kind == "Deployment":
            yield join_key(entry.key.namespace, rs.controller.name)


class DeploymentController(Controller):
    """See the package's text."""

    name = "deployment"
    user = "system:serviceaccount:kube-system:deployment-controller"
    watches = (
        Watch(STORAGE, own_key),
        Watch(SETS, owners.owner_or_matching_keys("Deployment", STORAGE, selector_of)),
        # Recreate waits for the last old pod to go; nothing else in a pod matters here.
        Watch("pods", _of_pod, lambda event: event.type == "DELETED"),
    )

    def __init__(self) -> None:
        self._recorder = Recorder("deployment-controller")

    def reconcile(self, key: str, ctx: Context) -> Result:
        entry = ctx.cache.get(Key(STORAGE, *split_key(key)))
        if entry is None:
            return None
        d = entry.object()
        if d["spec"]["selector"] == {}:
            self._recorder.event(
                ctx.session,
                d,
                "Warning",
                "SelectingAll",
                "This deployment is selecting all pods. A non-empty selector is required.",
            )
            return None
        claimed = owners.claim(ctx, d, SETS, selector_of(d))
        return Rollout(ctx, self._recorder, d, [entry.object() for entry in claimed]).run()


class Rollout:
    """One look at one deployment and its replica sets; the objects are kept up to date with what is written."""

    def __init__(self, ctx: Context, recorder: Recorder, d: Json, sets: list[Json]) -> None:
        self._ctx, self._recorder, self._d = ctx, recorder, d
        self._namespace, self._name = d["metadata"]["namespace"], d["metadata"]["name"]
        self._new = revisions.find_new(d, sets)
        self._old = [rs for rs in revisions.by_age(sets) if rs is not self._new]

    @property
    def _sets(self) -> list[Json]:
        return [*self._old, *([self._new] if self._new else [])]

    def run(self) -> Result:
        if self._d["metadata"].get("deletionTimestamp"):
            return self._tell(status.counted)
        noted = status.pause(self._d, self._ctx.now())
        if noted is not None:
            self._write_status(noted)
        if self._d["spec"].get("paused"):
            self._sync_revision()
            self._scale()
            self._clean_up()
            return self._tell(status.counted)
        if sizes.is_scaling(self._d, self._sets):
            self._sync_revision()
            self._scale()
            return self._tell(status.counted)
        return self._roll() if sizes.is_rolling(self._d) else self._recreate()

    def _roll(self) -> Result:
        """Grow the new replica set as far as the surge allows, shrink the old ones as far as availability allows."""
        new = self._ensure_new()
        size = sizes.new_size(self._d, self._sets, new)
        changed = self._resize(new, size) if size != replicas(new) else False
        if not changed:
            for name, wanted in sizes.old_sizes(self._d, self._sets, new, self._old).items():
                changed |= self._resize(self._named(name), wanted)
        if not changed and status.complete(self._d, self._d.get("status") or {}):
            self._clean_up()
        return self._tell(status.rolled_out)

    def _recreate(self) -> Result:
        """First all old pods go, then the new replica set comes up."""
        if self._new is not None:
            self._sync_revision()
        changed = [self._resize(rs, 0) for rs in sizes.active(self._old)]
        if changed or self._old_pods_run():
            return self._tell(status.rolled_out)
        new = self._ensure_new()
        self._resize(new, replicas(self._d))
        if status.complete(self._d, self._d.get("status") or {}):
            self._clean_up()
        return self._tell(status.rolled_out)

    def _old_pods_run(self) -> bool:
        if any(sizes.stat(rs, "replicas") for rs in self._old):
            return True
        entries = [e for rs in self._old for e in owners.owned(self._ctx.cache, rs["metadata"]["uid"], "pods")]
        return any(not pod.finished for pod in pods.views(entries))

    def _scale(self) -> None:
        for name, size in sizes.scaled_sizes(self._d, self._new, self._old).items():
            self._resize(self._named(name), size)

    # -- the new replica set -----------------------------------------------------------------------------------------

    def _ensure_new(self) -> Json:
        if self._new is None:
            self._new = self._create()
        else:
            self._sync_revision()
        return self._new

    def _sync_revision(self) -> None:
        """Let the new replica set have the highest revision and the deployment's annotations, and the deployment it."""
        new = self._new
        if new is None:
            return
        changed = revisions.annotate(self._d, new, revisions.next_revision(self._old))
        wanted = self._d["spec"].get("minReadySeconds", 0)
        if new["spec"].get("minReadySeconds", 0) != wanted:
            new["spec"]["minReadySeconds"] = wanted
            changed = True
        if changed:
            self._store(new)
        self._note_revision(new)
        found = f'Found new replica set "{new["metadata"]["name"]}"'
        self._begin_progress("FoundNewReplicaSet", found, only_first=True)

    def _create(self) -> Json:
        rs = revisions.make_new(self._d, self._old)
        name = rs["metadata"]["name"]
        try:
            created = self._ctx.session.create(SETS, self._namespace, rs)
        except AlreadyExists:
            created = self._existing(rs)
        except ApiError as error:
            message = f'Failed to create new replica set "{name}": {error}'
            if status.has_deadline(self._d):
                self._begin_progress("ReplicaSetCreateError", message, value="False")
            self._recorder.event(self._ctx.session, self._d, "Warning", "ReplicaSetCreateError", message)
            raise
        if replicas(created):
            self._event(f"Scaled up replica set {name} from 0 to {replicas(created)}")
        self._note_revision(created)
        self._begin_progress("NewReplicaSetCreated", f'Created new replica set "{name}"')
        return created

    def _existing(self, rs: Json) -> Json:
        """The replica set that has the name already: ours after all, or a collision of hashes."""
        found = self._ctx.session.get(SETS, self._namespace, rs["metadata"]["name"])
        owner = ownerrefs.controller(found["metadata"]) if found else None
        if (
            found
            and owner
            and owner["uid"] == self._d["metadata"]["uid"]
            and templates.equal(found["spec"]["template"], rs["spec"]["template"])
        ):
            return found
        current = self._d.get("status") or {}
        self._write_status({**current, "collisionCount": (current.get("collisionCount") or 0) + 1})
        raise AlreadyExists(SETS, rs["metadata"]["name"])

    def _note_revision(self, new: Json) -> None:
        revision = new["metadata"]["annotations"][sizes.REVISION]
        if (self._d["metadata"].get("annotations") or {}).get(sizes.REVISION) == revision:
            return

        def put(d: Json) -> None:
            d["metadata"].setdefault("annotations", {})[sizes.REVISION] = revision

        # Through the status: what a user declared did not change, and neither may the generation.
        self._take(self._ctx.session.mutate(STORAGE, self._namespace, self._name, put, "status"))

    def _begin_progress(self, reason: str, message: str, value: str = "True", only_first: bool = False) -> None:

        if not status.has_deadline(self._d):
            return
        changed = {**(self._d.get("status") or {})}
        if only_first and conditions.find(changed, status.PROGRESSING) is not None:
            return
        if conditions.put(changed, status.PROGRESSING, value, reason, message, self._ctx.now(), "lastUpdateTime"):
            self._write_status(changed)

    # -- writes --------------------------------------------------------------------------------------------------------

    def _named(self, name: str) -> Json:
        return next(rs for rs in self._sets if rs["metadata"]["name"] == name)

    def _resize(self, rs: Json, size: int) -> bool:
        """Give a replica set its size and the note for which it was computed; True if its size changed."""
        before = replicas(rs)
        rs["spec"]["replicas"] = size
        noted = revisions.put_sizes(self._d, rs)
        if size == before and not noted:
            return False
        self._store(rs)
        if size != before:
            name, way = rs["metadata"]["name"], "up" if size > before else "down"
            self._event(f"Scaled {way} replica set {name} from {before} to {size}")
        return size != before

    def _store(self, rs: Json) -> None:
        rs.update(self._ctx.session.update(SETS, self._namespace, rs["metadata"]["name"], rs))

    def _clean_up(self) -> None:
        for rs in revisions.superfluous(self._d, self._old):
            try:
                self._ctx.session.delete(
                    SETS, self._namespace, rs["metadata"]["name"], {"propagationPolicy": "Background"}
                )
            except NotFound:
                continue

    def _tell(self, compute: Any) -> Result:
        """Write the status if it changed; tell when to look whether the rollout is stuck."""
        new = compute(self._d, self._sets, self._new, self._ctx.now())
        self._write_status(new)
        return None if self._d["spec"].get("paused") else status.until_deadline(self._d, new, self._ctx.now())

    def _write_status(self, new: Json) -> None:
        written = put_status(self._ctx, STORAGE, self._d, new)
        if written is not None:
            self._take(written)

    def _take(self, written: Json) -> None:
        """Go on with what the store holds now; spec changes of others meanwhile are left to the next look."""
        self._d["metadata"] = {**written["metadata"], "generation": self._d["metadata"].get("generation", 0)}
        self._d["status"] = written.get("status") or {}

    def _event(self, message: str) -> None:
        self._recorder.event(self._ctx.session, self._d, "Normal", "ScalingReplicaSet", message)
