"""Rules for the status of a Job: how conditions, times and counts hang together.

A rule about the end of a job is applied only by the write that brings it about, so that a status written before the
rule existed can still be updated.
"""

from __future__ import annotations

from kube import clock
from kube.conditions import is_true
from kube.errors import FieldError, invalid, required
from kube.kinds.batch.jobspec import omitted
from kube.objects import Json
from kube.validation import check_counts

COUNTS = ("active", "succeeded", "failed", "ready", "terminating")
CONDITIONS = "status.conditions"
TERMINAL = ("Failed", "Complete", "FailureTarget", "SuccessCriteriaMet")


def is_finished(status: Json) -> bool:
    return is_true(status, "Complete") or is_true(status, "Failed")


def check_job_status(job: Json, old: Json) -> list[FieldError]:
    """The status of a job against itself and against the one it replaces."""
    status, before = job.get("status") or {}, old.get("status") or {}
    errors = check_counts(status, "status", COUNTS)
    errors += _check_uncounted(status)
    errors += _check_conditions(status)
    errors += _check_completion_time(status)
    if is_finished(status) and not is_finished(before):
        errors += _check_finish(status)
    changed = any(status.get(name) != before.get(name) for name in ("ready", "active"))
    if changed and (status.get("ready") or 0) > max(0, status.get("active") or 0):
        errors.append(invalid("status.ready", status["ready"], "cannot set more ready pods than active"))
    return errors + _check_transition(job, status, before)


def _check_uncounted(status: Json) -> list[FieldError]:
    """A pod is waiting to be counted once, as succeeded or as failed."""
    seen: set[str] = set()
    errors: list[FieldError] = []
    uncounted = status.get("uncountedTerminatedPods") or {}
    for name in ("succeeded", "failed"):
        for i, uid in enumerate(uncounted.get(name) or ()):
            if uid in seen or not uid:
                errors.append(
                    invalid(f"status.uncountedTerminatedPods.{name}[{i}]", uid, "must be unique and not empty")
                )
            seen.add(uid)
    return errors


def _check_conditions(status: Json) -> list[FieldError]:
    complete, failed = is_true(status, "Complete"), is_true(status, "Failed")
    met, target = is_true(status, "SuccessCriteriaMet"), is_true(status, "FailureTarget")
    errors: list[FieldError] = []
    for wrong, detail in (
        (complete and failed, "cannot set Complete=True and Failed=true conditions"),
        (complete and target, "cannot set Complete=True and FailureTarget=true conditions"),
        (failed and met, "cannot set Failed=True and SuccessCriteriaMet=true conditions"),
        (met and target, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
        (failed and not target, "cannot set Failed=True condition without the FailureTarget=true condition"),
        (complete and not met, "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"),
    ):
        if wrong:
            errors.append(omitted(CONDITIONS, detail))
    return errors


def _check_completion_time(status: Json) -> list[FieldError]:
    end, start, complete = status.get("completionTime"), status.get("startTime"), is_true(status, "Complete")
    path = "status.completionTime"
    if end is None:
        return [required(path, "completionTime is required for Complete jobs")] if complete else []
    if not complete:
        return [invalid(path, end, "cannot set completionTime when there is no Complete=True condition")]
    if start is not None and clock.parse(end) < clock.parse(start):
        return [invalid(path, end, "completionTime cannot be set before startTime")]
    return []


def _check_finish(status: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    if (status.get("active") or 0) > 0:
        errors.append(invalid("status.active", status["active"], "active>0 is invalid for finished job"))
    if (status.get("terminating") or 0) > 0:
        errors.append(invalid("status.terminating", status["terminating"], "terminating>0 is invalid for finished job"))
    if status.get("startTime") is None:
        errors.append(required("status.startTime", "startTime is required for finished job"))
    uncounted = status.get("uncountedTerminatedPods") or {}
    if uncounted.get("succeeded") or uncounted.get("failed"):
        errors.append(
            invalid(
                "status.uncountedTerminatedPods",
                uncounted,
                "uncountedTerminatedPods needs to be empty for finished job",
            )
        )
    return errors


def _check_transition(job: Json, status: Json, before: Json) -> list[FieldError]:
    errors = [
        omitted(CONDITIONS, f"cannot disable the terminal {name}=True condition")
        for name in TERMINAL
        if is_true(before, name) and not is_true(status, name)
    ]
    started, was = status.get("startTime"), before.get("startTime")
    if was is not None and started != was and not job["spec"].get("suspend") and not is_true(before, "Suspended"):
        errors.append(
            required("status.startTime", "startTime cannot be removed for unsuspended job")
            if started is None
            else invalid("status.startTime", started, "startTime cannot be modified for unsuspended job")
        )
    if job["spec"].get("completionMode") != "Indexed":
        errors += [
            invalid(f"status.{name}", status.get(name) or 0, f"cannot decrease the {name} counter")
            for name in ("succeeded", "failed")
            if (status.get(name) or 0) < (before.get(name) or 0)
        ]
    return errors
