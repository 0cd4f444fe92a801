"""The steps of a job: is it over, else which pods to create; count what ended; tell the status."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

from cluster.cache import Cache, Entry
from cluster.events import Recorder
from cluster.store import Key
from controllers import owners, pods
from controllers.job import accounting, limits, manage
from controllers.job.facts import TRACKING, Facts
from controllers.job.limits import Ending
from controllers.podcontrol import PodControl, namespace_ends
from controllers.pods import PodView
from controllers.runtime import Context, Controller, Result, Watch, going, join_key, own_key, split_key
from controllers.writes import change, drop_finalizer, put_status
from kube import clock, conditions, selectors
from kube.errors import ApiError, Conflict, NotFound
from kube.objects import Json

STORAGE = "jobs.batch"
OURS = "kubernetes.io/job-controller"
STRAY = "pod:"  # marks the key of a pod whose job is gone


def selector_of(job: Json) -> selectors.Selector:
    return selectors.from_object(job["spec"]["selector"])


_managed = owners.owner_or_matching_keys("Job", STORAGE, selector_of)


def _of_pod(entry: Entry, cache: Cache) -> Iterable[str]:
    """Mapper: the pod's job; if it has none (any more), the pod itself, whose finalizer nobody else takes away."""
    yield from _managed(entry, cache)
    if _is_stray(entry, cache):
        yield join_key(entry.key.namespace, STRAY + entry.key.name)


def _is_stray(pod: Entry, cache: Cache) -> bool:
    """Whether a pod has the finalizer, but no job that would take it away."""
    owner = pod.controller
    if TRACKING not in (pod.meta.finalizers or ()) or (owner is not None and owner.kind != "Job"):
        return False
    job = cache.get(Key(STORAGE, pod.key.namespace, owner.name)) if owner is not None else None
    return job is None or (owner is not None and job.meta.uid != owner.uid)


def _of_job(entry: Entry, cache: Cache) -> Iterable[str]:
    """Mapper: the job; if it was deleted, its pods, too."""
    yield from own_key(entry, cache)
    present = cache.get(entry.key)
    if present is None or present.meta.uid != entry.meta.uid:
        for pod in cache.by_owner(entry.meta.uid):
            if pod.key.storage == "pods":
                yield join_key(pod.key.namespace, STRAY + pod.key.name)


class JobController(Controller):
    """See the package's text."""

    name = "job"
    user = "system:serviceaccount:kube-system:job-controller"
    watches = (Watch(STORAGE, _of_job), Watch("pods", _of_pod))

    def __init__(self) -> None:
        self._recorder = Recorder("job-controller")
        self._pods = PodControl(self._recorder)

    def reconcile(self, key: str, ctx: Context) -> Result:
        namespace, name = split_key(key)
        if name.startswith(STRAY):
            _release_stray(ctx, namespace, name.removeprefix(STRAY))
            return None
        entry = ctx.cache.get(Key(STORAGE, namespace, name))
        if entry is None:
            return None
        job = entry.object()
        if job["spec"].get("managedBy") not in (None, OURS):
            return None
        if limits.finished(job):
            return self._after_end(ctx, job)
        if entry.meta.deletionTimestamp:  # nobody counts any more: in the foreground it waits for its pods
            _drop_finalizers(ctx, pods.views(owners.owned(ctx.cache, entry.meta.uid, "pods")))
            return None
        return _Pass(ctx, self._recorder, self._pods, job).run()

    def _after_end(self, ctx: Context, job: Json) -> Result:
        """Free pods that still carry the finalizer; remove the job when its time to live is over."""
        held = pods.views(owners.claim(ctx, job, "pods", selector_of(job), TRACKING))
        _drop_finalizers(ctx, [pod for pod in held if pod.finished or pod.terminating])
        left = limits.until_removal(job, ctx.now())
        if left is None or left > 0 or job["metadata"].get("deletionTimestamp"):
            return left if left is not None and left > 0 else None
        meta = job["metadata"]
        options = {"propagationPolicy": "Foreground", "preconditions": {"uid": meta["uid"]}}
        try:
            ctx.session.delete(STORAGE, meta["namespace"], meta["name"], options)
        except (NotFound, Conflict):  # it went, or another has its name
            return None
        return None


class _Pass:
    """One look at one unfinished job."""

    def __init__(self, ctx: Context, recorder: Recorder, control: PodControl, job: Json) -> None:
        self._ctx, self._recorder, self._control, self._job = ctx, recorder, control, job
        self._namespace, self._name = job["metadata"]["namespace"], job["metadata"]["name"]
        self._before = copy.deepcopy(job.get("status") or {})
        self._status: Json = job.setdefault("status", {})
        self._announce: list[tuple[str, str, str]] = []
        self._error: ApiError | None = None
        self._after: float | None = None

    def run(self) -> Result:
        claimed = owners.claim(self._ctx, self._job, "pods", selector_of(self._job), TRACKING)
        facts = Facts(self._job, pods.views(claimed), self._ctx.now())
        accounting.settle(self._status, facts.pods)
        if not self._status.get("startTime") and not facts.suspended:
            self._status["startTime"] = clock.stamp(facts.now)
        end = limits.ending(facts)
        if end is None:
            changed = self._move(facts)
        elif changed := bool(facts.active):  # the job is over: stop what still runs
            self._error = self._control.delete(self._ctx, self._job, [pod.name for pod in facts.active])
        if changed:
            facts = self._look_again()
        end = end or limits.ending(facts)
        if end is None:
            self._suspension(facts)
        facts = self._account(facts, end)
        self._finish(facts, end)
        self._write()
        if self._error is not None and not namespace_ends(self._error):
            raise self._error
        if any(facts.failed(pod) or pod.phase == "Succeeded" for pod in facts.pods if _tracked(pod)):
            return 0.0 if len(facts.pods) > 1 and not facts.per_index else self._next(facts)
        return self._next(facts)

    def _next(self, facts: Facts) -> Result:
        if limits.finished(self._job):
            return limits.until_removal(self._job, self._ctx.now())
        waits = [wait for wait in (self._after, limits.until_deadline(facts)) if wait is not None]
        return max(min(waits), 0.05) if waits else None

    def _look_again(self) -> Facts:
        self._ctx.cache.refresh()
        entries = owners.owned(self._ctx.cache, self._job["metadata"]["uid"], "pods")
        return Facts(self._job, pods.views(entries), self._ctx.now())

    # -- suspension, pods ----------------------------------------------------------------------------------------------

    def _suspension(self, facts: Facts) -> None:
        now = facts.now
        if facts.suspended:
            if conditions.put(self._status, "Suspended", "True", "JobSuspended", "Job suspended", now, "lastProbeTime"):
                self._announce.append(("Normal", "Suspended", "Job suspended"))
            self._status.pop("startTime", None)
        elif conditions.is_true(self._status, "Suspended"):
            conditions.put(self._status, "Suspended", "False", "JobResumed", "Job resumed", now, "lastProbeTime")
            self._announce.append(("Normal", "Resumed", "Job resumed"))
            # The deadline counts from the resumption.
            self._status["startTime"] = clock.stamp(now)

    def _move(self, facts: Facts) -> bool:
        moves = manage.moves(facts)
        self._after = moves.after
        if moves.delete:
            # Surplus pods go uncounted: their finalizer is taken away first.
            _drop_finalizers(self._ctx, moves.delete)
            self._error = self._control.delete(self._ctx, self._job, [pod.name for pod in moves.delete])
        if moves.create:
            self._error = self._control.create(self._ctx, self._job, moves.create)[1] or self._error
        return bool(moves.create or moves.delete)

    # -- counting ----------------------------------------------------------------------------------------------------

    def _account(self, facts: Facts, end: Ending | None) -> Facts:
        """Steps 1 to 3 of `accounting`; the note is on the disk before a finalizer goes."""
        # Where the namespace goes, no pod has a successor.
        ends = going(self._ctx, Key("namespaces", "", self._namespace)) is not None
        release = accounting.note(self._status, facts, end is not None and end.type == limits.FAILED, ends)
        self._count(facts)
        if end is not None and not conditions.is_true(self._status, end.interim):
            conditions.put(self._status, end.interim, "True", end.reason, end.message, facts.now, "lastProbeTime")
        if not release:
            return facts
        if self._status["uncountedTerminatedPods"]:
            self._write()
        _drop_finalizers(self._ctx, release)
        facts = self._look_again()
        accounting.settle(self._status, facts.pods)
        self._count(facts)
        return facts

    def _count(self, facts: Facts) -> None:
        status = self._status
        counts = {
            "active": len(facts.active),
            "ready": sum(pod.ready for pod in facts.active),
            "terminating": len(facts.terminating),
        }
        status.update(counts)
        for name in ("active", "succeeded", "failed"):
            if not status.get(name):
                status.pop(name, None)

    # -- the end -------------------------------------------------------------------------------------------------------

    def _finish(self, facts: Facts, end: Ending | None) -> None:
        """Put the final condition once nothing runs and everything is counted."""
        noted = self._status.get("uncountedTerminatedPods") or {}
        if end is None or facts.active or facts.terminating or noted:
            return
        if any(_tracked(pod) and pod.finished for pod in facts.pods):
            return
        self._status.setdefault("startTime", clock.stamp(facts.now))
        if conditions.put(self._status, end.type, "True", end.reason, end.message, facts.now, "lastProbeTime"):
            if end.type == limits.COMPLETE:
                self._status["completionTime"] = clock.stamp(facts.now)
                self._announce.append(("Normal", "Completed", "Job completed"))
            else:
                self._announce.append(("Warning", end.reason, end.message))

    def _write(self) -> None:
        """Write the status if it changed, then tell the events that go with it."""
        written = put_status(self._ctx, STORAGE, {**self._job, "status": self._before}, self._status)
        if written is None:
            return
        self._job["metadata"], self._before = written["metadata"], copy.deepcopy(self._status)
        for type, reason, message in self._announce:
            self._recorder.event(self._ctx.session, self._job, type, reason, message)
        self._announce.clear()


def _tracked(pod: PodView) -> bool:
    return TRACKING in (pod.metadata.finalizers or ())


def _release_stray(ctx: Context, namespace: str, name: str) -> None:
    """Take the finalizer from a pod whose job is gone."""
    entry = ctx.cache.get(Key("pods", namespace, name))
    if entry is not None and _is_stray(entry, ctx.cache):
        _drop_finalizers(ctx, [pods.view(entry)])


def _drop_finalizers(ctx: Context, chosen: Sequence[PodView]) -> None:
    """Take the tracking finalizer from pods, in one commit; pods that changed meanwhile are taken singly."""
    bodies = []
    for pod in chosen:
        entry = ctx.cache.get(Key("pods", pod.metadata.namespace, pod.name))
        if entry is not None and entry.meta.uid == pod.metadata.uid and TRACKING in (entry.meta.finalizers or ()):
            body = entry.object()
            drop_finalizer(body["metadata"], TRACKING)
            bodies.append(body)
    results = ctx.session.update_many([("pods", b["metadata"]["namespace"], b) for b in bodies]) if bodies else []
    for body, result in zip(bodies, results, strict=True):
        if isinstance(result, Conflict):
            meta = body["metadata"]
            key = Key("pods", meta["namespace"], meta["name"])
            change(ctx, key, meta["uid"], lambda pod: drop_finalizer(pod["metadata"], TRACKING))
        elif isinstance(result, ApiError) and not isinstance(result, NotFound):
            raise result
    ctx.cache.refresh()
