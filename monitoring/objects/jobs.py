"""kube_job_*, kube_cronjob_*"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kube import conditions, cron
from kube.objects import Json
from monitoring.objects.families import Families, Sample, find, seconds, truth
from monitoring.objects.selection import labels

JOBS = Families("batch/v1", "jobs", namespace="namespace", job_name="name")
CRONJOBS = Families("batch/v1", "cronjobs", namespace="namespace", cronjob="name")
FAILURES = ("BackoffLimitExceeded", "DeadlineExceeded", "Evicted")

JOBS.created("kube_job")
JOBS.selectable("kube_job")
JOBS.owners("kube_job_owner")
JOBS.info("kube_job")
JOBS.field("kube_job_spec_parallelism", "The most pods that the job runs at a time.", "spec", "parallelism")
JOBS.field("kube_job_spec_completions", "The number of pods that have to succeed.", "spec", "completions")
JOBS.field("kube_job_spec_active_deadline_seconds", "How long the job may be active.", "spec", "activeDeadlineSeconds")
JOBS.field("kube_job_status_active", "The number of actively running pods.", "status", "active", missing=0)
JOBS.field("kube_job_status_succeeded", "The number of pods that succeeded.", "status", "succeeded", missing=0)
JOBS.field("kube_job_status_ready", "The number of ready pods of the job.", "status", "ready", missing=0)
JOBS.time("kube_job_status_start_time", "When the job was taken up.", "status", "startTime")
JOBS.time("kube_job_status_completion_time", "When the job was completed.", "status", "completionTime")


@JOBS.gauge("kube_job_status_failed", "The number of pods that failed, or 1 for the reason for which the job failed.")
def failed(job: Json) -> Iterator[Sample]:
    count = find(job, "status", "failed") or 0
    if not count:
        yield "", 0
        return
    reasons = {c.get("reason") for c in find(job, "status", "conditions") or () if c["type"] == "Failed"}
    for reason in FAILURES if reasons else ():
        yield f',reason="{reason}"', reason in reasons
    if not reasons & set(FAILURES):
        yield ',reason=""', count


def _condition(kind: str, name: str, text: str) -> None:
    def make(job: Json) -> Iterator[Sample]:
        for condition in find(job, "status", "conditions") or ():
            if condition["type"] == kind:
                yield from truth(condition["status"], "condition")

    JOBS.add(name, text, make)


_condition("Complete", "kube_job_complete", "The job has completed its execution.")
_condition("Failed", "kube_job_failed", "The job has failed its execution.")


@JOBS.gauge("kube_job_status_suspended", "Whether the job is suspended.")
def suspended(job: Json) -> Iterable[Sample]:
    found = conditions.find(job.get("status"), "Suspended")
    return (("", found["status"] == "True"),) if found else ()


CRONJOBS.created("kube_cronjob")
CRONJOBS.selectable("kube_cronjob")


@CRONJOBS.gauge("kube_cronjob_info", "Info about cronjob.")
def info(cronjob: Json) -> Iterable[Sample]:
    spec = cronjob["spec"]
    return (
        (
            labels(
                schedule=spec["schedule"],
                concurrency_policy=spec.get("concurrencyPolicy"),
                timezone=spec.get("timeZone") or "local",
            ),
            1,
        ),
    )


@CRONJOBS.gauge("kube_cronjob_status_active", "The number of running jobs of the cronjob.")
def active(cronjob: Json) -> Iterable[Sample]:
    return (("", len(find(cronjob, "status", "active") or ())),)


CRONJOBS.time("kube_cronjob_status_last_schedule_time", "When the last job was made.", "status", "lastScheduleTime")
CRONJOBS.time(
    "kube_cronjob_status_last_successful_time", "When the last job succeeded.", "status", "lastSuccessfulTime"
)
CRONJOBS.field("kube_cronjob_spec_suspend", "Whether the cronjob is suspended.", "spec", "suspend", missing=0)
CRONJOBS.field(
    "kube_cronjob_spec_starting_deadline_seconds", "How late a job may start.", "spec", "startingDeadlineSeconds"
)
CRONJOBS.field(
    "kube_cronjob_spec_successful_job_history_limit",
    "How many completed jobs are kept.",
    "spec",
    "successfulJobsHistoryLimit",
)
CRONJOBS.field(
    "kube_cronjob_spec_failed_job_history_limit", "How many failed jobs are kept.", "spec", "failedJobsHistoryLimit"
)


CRONJOBS.version("kube_cronjob")


@CRONJOBS.gauge("kube_cronjob_schedule_invalid", "1 for a cronjob whose schedule, in its time zone, says nothing.")
def invalid(cronjob: Json) -> Iterable[Sample]:
    try:
        _schedule(cronjob["spec"])
    except ValueError:
        return (("", 1),)
    return ()


def _schedule(spec: Json) -> tuple[cron.Schedule | cron.Every, tzinfo]:
    """A schedule, and where. Raises ValueError."""
    try:
        zone = ZoneInfo(spec["timeZone"]) if spec.get("timeZone") else UTC
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"no time zone {spec['timeZone']!r}") from error
    return cron.parse(spec["schedule"]), zone


@CRONJOBS.gauge("kube_cronjob_next_schedule_time", "When the next job is due, reckoned from the last one.")
def due(cronjob: Json) -> Iterable[Sample]:
    spec = cronjob["spec"]
    last = find(cronjob, "status", "lastScheduleTime") or cronjob["metadata"]["creationTimestamp"]
    if spec.get("suspend"):
        return ()
    try:
        schedule, zone = _schedule(spec)
    except ValueError:
        return ()
    at = schedule.next(datetime.fromtimestamp(seconds(last), zone))
    return (("", int(at.timestamp())),) if at else ()
