"""CronJobs: create a Job at each due time of a schedule.

1. forget finished jobs in `status.active`, keep no more finished jobs than the limits;
2. find the last due time that was missed, within the starting deadline;
3. start its job as the concurrency policy says; come back at the next due time.
A job's name contains its due time, so that none is created twice.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cluster.events import Recorder
from cluster.store import Key
from controllers import owners
from controllers.podcontrol import namespace_ends
from controllers.runtime import Context, Controller, Result, Terminal, Watch, own_key, split_key
from controllers.writes import change
from kube import clock, conditions, cron, ownerrefs
from kube.errors import AlreadyExists, ApiError, NotFound
from kube.events import reference
from kube.objects import Json

STORAGE, JOBS = "cronjobs.batch", "jobs.batch"
SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"
MANY_MISSED = 100


class Due(NamedTuple):
    """The last due time that was missed (None: none), whether suspiciously many were, and the next one (epoch seconds)."""

    last: float | None
    many: bool
    next: float | None


class CronJobController(Controller):
    """See the module's text."""

    name = "cronjob"
    user = "system:serviceaccount:kube-system:cronjob-controller"
    watches = (Watch(STORAGE, own_key), Watch(JOBS, owners.owner_key("CronJob")))

    def __init__(self) -> None:
        self._recorder = Recorder("cronjob-controller")

    def reconcile(self, key: str, ctx: Context) -> Result:
        entry = ctx.cache.get(Key(STORAGE, *split_key(key)))
        if entry is None:
            return None
        cj = entry.object()
        cj.setdefault("status", {})
        before = copy.deepcopy(cj["status"])
        jobs = [found.object() for found in owners.owned(ctx.cache, entry.meta.uid, JOBS)]
        self._clean_up(ctx, cj, jobs)
        self._forget_finished(ctx, cj, jobs)
        after: Result = None
        try:
            if not entry.meta.deletionTimestamp and not cj["spec"].get("suspend"):
                after = self._schedule(ctx, cj, jobs)
        finally:
            if cj["status"] != before:  # whatever else was changed: what was started is not started again
                change(ctx, entry.key, entry.meta.uid, lambda current: current.update(status=cj["status"]), "status")
        return after

    # -- what is there -------------------------------------------------------------------------------------------------

    def _forget_finished(self, ctx: Context, cj: Json, jobs: list[Json]) -> None:
        """Bring `status.active` in line with the jobs that exist and run."""
        by_uid = {job["metadata"]["uid"]: job for job in jobs}
        active = []
        for about in cj["status"].get("active") or ():
            job = by_uid.get(about.get("uid", ""))
            if job is None:
                self._event(ctx, cj, "Normal", "MissingJob", f"Active job went missing: {about['name']}")
            elif (kind := finished(job)) is not None:
                self._event(
                    ctx, cj, "Normal", "SawCompletedJob", f"Saw completed job: {about['name']}, condition: {kind}"
                )
                if kind == "Complete" and (end := job["status"].get("completionTime")):
                    cj["status"]["lastSuccessfulTime"] = max(end, cj["status"].get("lastSuccessfulTime") or end)
            else:
                active.append(about)
        known = {about.get("uid") for about in active}
        active += [reference(j) for j in jobs if finished(j) is None and j["metadata"]["uid"] not in known]
        _put_active(cj, active)

    def _clean_up(self, ctx: Context, cj: Json, jobs: list[Json]) -> None:
        limits = {
            "Complete": cj["spec"].get("successfulJobsHistoryLimit"),
            "Failed": cj["spec"].get("failedJobsHistoryLimit"),
        }
        for kind, limit in limits.items():
            if limit is None:
                continue
            # Oldest first; one that never started counts as the newest.
            done = sorted(
                (job for job in jobs if finished(job) == kind),
                key=lambda job: (job["status"].get("startTime") or "9999", job["metadata"]["name"]),
            )
            for job in done[: max(len(done) - limit, 0)]:
                if not job["metadata"].get("deletionTimestamp"):
                    self._delete(ctx, cj, job["metadata"]["name"])

    # -- what is due ---------------------------------------------------------------------------------------------------

    def _schedule(self, ctx: Context, cj: Json, jobs: list[Json]) -> Result:
        try:
            due = missed(cj, ctx.now())
        except (ValueError, ZoneInfoNotFoundError) as error:
            self._event(
                ctx,
                cj,
                "Warning",
                "UnParseableCronJobSchedule",
                f'unparseable schedule: "{cj["spec"]["schedule"]}" : {error}',
            )
            raise Terminal(str(error)) from error
        if due.many:
            self._event(
                ctx,
                cj,
                "Warning",
                "TooManyMissedTimes",
                "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew",
            )
        if due.last is not None:
            self._start(ctx, cj, jobs, due.last)
        return None if due.next is None else max(due.next - ctx.now(), 0) + 0.05

    def _start(self, ctx: Context, cj: Json, jobs: list[Json], at: float) -> None:
        deadline = cj["spec"].get("startingDeadlineSeconds")
        if deadline is not None and at + deadline < ctx.now():
            due = datetime.fromtimestamp(at, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
            self._event(ctx, cj, "Warning", "MissSchedule", f"Missed scheduled time to start a job: {due}")
            return
        active = cj["status"].get("active") or []
        name = job_name(cj, at)
        if any(about["name"] == name for about in active) or cj["status"].get("lastScheduleTime") == clock.stamp(at):
            return
        policy = cj["spec"].get("concurrencyPolicy", "Allow")
        if policy == "Forbid" and active:
            self._event(
                ctx,
                cj,
                "Normal",
                "JobAlreadyActive",
                "Not starting job because prior execution is running and concurrency policy is Forbid",
            )
            return
        if policy == "Replace":
            for about in active:
                self._delete(ctx, cj, about["name"])
            _put_active(cj, [])
        self._create(ctx, cj, name, at)

    def _create(self, ctx: Context, cj: Json, name: str, at: float) -> None:
        try:
            job = ctx.session.create(JOBS, cj["metadata"]["namespace"], job_from(cj, name, at))
        except AlreadyExists:
            found = ctx.session.get(JOBS, cj["metadata"]["namespace"], name)
            owner = ownerrefs.controller(found["metadata"]) if found else None
            if found is None or owner is None or owner["uid"] != cj["metadata"]["uid"]:
                raise
            job = found
        except ApiError as error:
            if not namespace_ends(error):
                self._event(ctx, cj, "Warning", "FailedCreate", f"Error creating job: {error}")
                raise
            return
        else:
            self._event(ctx, cj, "Normal", "SuccessfulCreate", f"Created job {name}")
        if finished(job) is None:
            _put_active(cj, [*(cj["status"].get("active") or []), reference(job)])
        cj["status"]["lastScheduleTime"] = clock.stamp(at)

    # -- writes --------------------------------------------------------------------------------------------------------

    def _delete(self, ctx: Context, cj: Json, name: str) -> None:
        try:
            ctx.session.delete(JOBS, cj["metadata"]["namespace"], name, {"propagationPolicy": "Background"})
        except NotFound:
            return
        except ApiError as error:
            self._event(ctx, cj, "Warning", "FailedDelete", f"Deleted job: {error}")
            raise
        self._event(ctx, cj, "Normal", "SuccessfulDelete", f"Deleted job {name}")

    def _event(self, ctx: Context, cj: Json, type: str, reason: str, message: str) -> None:
        self._recorder.event(ctx.session, cj, type, reason, message)


def finished(job: Json) -> str | None:
    """Complete or Failed; None while the job runs."""
    status = job.get("status") or {}
    return next((kind for kind in ("Complete", "Failed") if conditions.is_true(status, kind)), None)


def missed(cj: Json, now: float) -> Due:
    """What is due of a CronJob; raises ValueError or ZoneInfoNotFoundError for a schedule that cannot be read."""
    schedule = cron.parse(cj["spec"]["schedule"])
    zone = ZoneInfo(cj["spec"]["timeZone"]) if cj["spec"].get("timeZone") else UTC
    earliest = clock.parse(cj["status"].get("lastScheduleTime") or cj["metadata"]["creationTimestamp"])
    deadline = cj["spec"].get("startingDeadlineSeconds")
    if deadline is not None:
        earliest = max(earliest, now - deadline)
    last, count = None, 0
    following = schedule.next(datetime.fromtimestamp(earliest, zone))
    while following is not None and following.timestamp() <= now:
        last, count = following.timestamp(), count + 1
        if count > MANY_MISSED:
            return _after_many(schedule, last, now, zone)
        following = schedule.next(following)
    return Due(last, False, following.timestamp() if following else None)


def _after_many(schedule: cron.Schedule | cron.Every, last: float, now: float, zone: Any) -> Due:
    """After a long sleep: only the newest due time matters; search it backwards in growing steps."""
    step = 60.0
    while now - step > last:
        candidate = schedule.next(datetime.fromtimestamp(now - step, zone))
        if candidate is not None and candidate.timestamp() <= now:
            last = candidate.timestamp()
            break
        step *= 2
    following = schedule.next(datetime.fromtimestamp(last, zone))
    while following is not None and following.timestamp() <= now:
        last = following.timestamp()
        following = schedule.next(following)
    return Due(last, True, following.timestamp() if following else None)


def job_name(cj: Json, at: float) -> str:
    """The name of the job of a due time: the minute counted since 1970."""
    return f"{cj['metadata']['name']}-{int(at) // 60}"


def job_from(cj: Json, name: str, at: float) -> Json:
    """The job of a due time."""
    template = copy.deepcopy(cj["spec"]["jobTemplate"])
    meta = template.get("metadata") or {}
    zone = ZoneInfo(cj["spec"]["timeZone"]) if cj["spec"].get("timeZone") else UTC
    due = datetime.fromtimestamp(at, zone).isoformat(timespec="seconds")
    notes = {**(meta.get("annotations") or {}), SCHEDULED_AT: due.replace("+00:00", "Z")}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": cj["metadata"]["namespace"],
            "labels": meta.get("labels") or {},
            "annotations": notes,
            "ownerReferences": [ownerrefs.reference(cj)],
        },
        "spec": template["spec"],
    }


def _put_active(cj: Json, active: list[Json]) -> None:
    if active:
        cj["status"]["active"] = active
    else:
        cj["status"].pop("active", None)
