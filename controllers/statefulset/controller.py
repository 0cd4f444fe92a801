"""Does what `plan` says: revisions, claims, pods, status."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.events import Recorder
from cluster.store import Key
from controllers import owners, pods, revisions
from controllers.pods import PodView
from controllers.runtime import Context, Controller, Result, Watch, own_key, split_key
from controllers.statefulset import identity, plan
from controllers.writes import put_status
from kube import selectors
from kube.errors import AlreadyExists, ApiError, NotFound
from kube.objects import Json

STORAGE, CLAIMS = "statefulsets.apps", "persistentvolumeclaims"


def selector_of(sts: Json) -> selectors.Selector:
    return selectors.from_object(sts["spec"]["selector"])


class StatefulSetController(Controller):
    """See the package's text."""

    name = "statefulset"
    user = "system:serviceaccount:kube-system:statefulset-controller"
    watches = (
        Watch(STORAGE, own_key),
        Watch("pods", owners.owner_or_matching_keys("StatefulSet", STORAGE, selector_of)),
        Watch(revisions.STORAGE, owners.owner_key("StatefulSet")),
    )

    def __init__(self) -> None:
        self._recorder = Recorder("statefulset-controller")

    def reconcile(self, key: str, ctx: Context) -> Result:
        entry = ctx.cache.get(Key(STORAGE, *split_key(key)))
        if entry is None:
            return None
        sts = entry.object()
        selector = selector_of(sts)
        held = _members(sts, pods.views(owners.claim(ctx, sts, "pods", selector)))
        if entry.meta.deletionTimestamp:
            return None
        known = revisions.of(ctx, sts, selector)
        old = sts.get("status") or {}
        update, collisions = revisions.newest(ctx, sts, known, revisions.HASH_LABEL, old.get("collisionCount") or 0)
        by_name = {revision["metadata"]["name"]: revision for revision in known}
        current = by_name.get(old.get("currentRevision", ""), update)
        situation = plan.Situation(sts, current["metadata"]["name"], update["metadata"]["name"], held, ctx.now())
        steps = plan.next_steps(situation)
        error = self._carry_out(ctx, situation, steps, by_name)
        self._write_status(ctx, situation, collisions)
        live = {situation.current, situation.update, *(plan.revision_of(pod) for pod in held)}
        revisions.trim(ctx, sts, known, live)
        if error is not None:
            raise error
        return steps.after

    def _carry_out(
        self, ctx: Context, situation: plan.Situation, steps: plan.Steps, by_name: dict[str, Json]
    ) -> ApiError | None:
        sts = situation.sts
        self._keep_claims(ctx, situation)
        error = self._create(ctx, sts, steps.create, by_name)
        for pod in steps.recreate:
            text = f"StatefulSet {sts['metadata']['namespace']}/{sts['metadata']['name']} is recreating"
            failed = pod.phase == "Failed"
            self._recorder.event(
                ctx.session,
                sts,
                "Warning" if failed else "Normal",
                "RecreatingFailedPod" if failed else "RecreatingTerminatedPod",
                f"{text} {'failed' if failed else 'terminated'} Pod {pod.name}",
            )
        return error or self._delete(ctx, sts, [*steps.recreate, *steps.delete])

    # -- pods --------------------------------------------------------------------------------------------------------

    def _create(
        self, ctx: Context, sts: Json, wanted: Sequence[tuple[int, str]], by_name: dict[str, Json]
    ) -> ApiError | None:
        if not wanted:
            return None
        error = self._create_claims(ctx, sts, [ordinal for ordinal, _ in wanted])
        if error is not None:
            return error
        namespace = sts["metadata"]["namespace"]
        objects = [identity.pod_of(sts, by_name[revision], ordinal) for ordinal, revision in wanted]
        results = ctx.session.create_many([("pods", namespace, pod) for pod in objects])
        for pod, result in zip(objects, results, strict=True):
            error = self._report(ctx, sts, "Create", pod["metadata"]["name"], result) or error
        return error

    def _delete(self, ctx: Context, sts: Json, doomed: Sequence[PodView]) -> ApiError | None:
        namespace, error = sts["metadata"]["namespace"], None
        if not doomed:
            return None
        results = ctx.session.delete_many([("pods", namespace, pod.name) for pod in doomed])
        for pod, result in zip(doomed, results, strict=True):
            if not isinstance(result, NotFound):
                error = self._report(ctx, sts, "Delete", pod.name, result) or error
        return error

    def _report(self, ctx: Context, sts: Json, verb: str, pod: str, result: Json | ApiError) -> ApiError | None:
        subject = f"{verb} Pod {pod} in StatefulSet {sts['metadata']['name']}"
        if isinstance(result, ApiError):
            self._recorder.event(ctx.session, sts, "Warning", f"Failed{verb}", f"{subject} failed error: {result}")
            return result
        self._recorder.event(ctx.session, sts, "Normal", f"Successful{verb}", f"{subject} successful")
        return None

    # -- claims --------------------------------------------------------------------------------------------------------

    def _create_claims(self, ctx: Context, sts: Json, ordinals: Sequence[int]) -> ApiError | None:
        namespace = sts["metadata"]["namespace"]
        missing = [
            (claim, ordinal)
            for ordinal in ordinals
            for claim in identity.claims_of(sts, ordinal)
            if ctx.cache.get(Key(CLAIMS, namespace, claim["metadata"]["name"])) is None
        ]
        for claim, _ in missing:
            references = identity.claim_owners(sts, None, False, [])
            if references:
                claim["metadata"]["ownerReferences"] = references
        results = ctx.session.create_many([(CLAIMS, namespace, claim) for claim, _ in missing]) if missing else []
        error: ApiError | None = None
        for (claim, ordinal), result in zip(missing, results, strict=True):
            if isinstance(result, AlreadyExists):
                continue
            pod = identity.pod_name(sts, ordinal)
            subject = f"Create Claim {claim['metadata']['name']} Pod {pod} in StatefulSet {sts['metadata']['name']}"
            if isinstance(result, ApiError):
                error = result
                event = ("Warning", "FailedCreate", f"{subject} failed error: {result}")
            else:
                event = ("Normal", "SuccessfulCreate", f"{subject} success")
            self._recorder.event(ctx.session, sts, *event)
        return error

    def _keep_claims(self, ctx: Context, situation: plan.Situation) -> None:
        """Give the claims of the pods that are there the owners that the retention policy wants."""
        sts = situation.sts
        if not sts["spec"].get("volumeClaimTemplates") or not sts["spec"].get("persistentVolumeClaimRetentionPolicy"):
            return
        condemned = {pod.name for pod in situation.condemned()}
        changed = []
        for pod in situation.pods:
            owner = {"metadata": {"name": pod.name, "uid": pod.metadata.uid}}
            for wanted in identity.claims_of(sts, identity.ordinal_of(pod.name)):
                entry = ctx.cache.get(Key(CLAIMS, sts["metadata"]["namespace"], wanted["metadata"]["name"]))
                if entry is None:
                    continue
                claim = entry.object()
                present = claim["metadata"].get("ownerReferences") or []
                references = identity.claim_owners(sts, owner, pod.name in condemned, present)
                if references != present:
                    claim["metadata"]["ownerReferences"] = references
                    changed.append((CLAIMS, sts["metadata"]["namespace"], claim))
        if changed:
            for result in ctx.session.update_many(changed):
                if isinstance(result, ApiError):
                    raise result

    # -- status --------------------------------------------------------------------------------------------------------

    def _write_status(self, ctx: Context, situation: plan.Situation, collisions: int) -> None:
        """The counters after the steps that were taken."""
        ctx.cache.refresh()
        sts = situation.sts
        entries = owners.owned(ctx.cache, sts["metadata"]["uid"], "pods")
        situation.pods = _members(sts, pods.views(entries))
        put_status(ctx, STORAGE, sts, plan.status(situation, collisions))


def _members(sts: Json, candidates: Sequence[PodView]) -> list[PodView]:
    """Pods with a name of this set: others that its selector matches are none of its business."""
    prefix = sts["metadata"]["name"]
    return [pod for pod in candidates if pod.name.rpartition("-")[0] == prefix and identity.ordinal_of(pod.name) >= 0]
