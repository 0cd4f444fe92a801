"""When a job is over, and why. Pure."""

from __future__ import annotations

from typing import NamedTuple

from controllers.job import policy
from controllers.job.facts import Facts
from kube import clock, conditions
from kube.objects import Json

COMPLETE, FAILED, FAILURE_TARGET, SUCCESS_MET = "Complete", "Failed", "FailureTarget", "SuccessCriteriaMet"
REACHED = "Reached expected number of succeeded pods"


class Ending(NamedTuple):
    """How a job ends: `type` is Complete or Failed."""

    type: str
    reason: str
    message: str

    @property
    def interim(self) -> str:
        """The condition that tells the ending while pods are still being stopped."""
        return SUCCESS_MET if self.type == COMPLETE else FAILURE_TARGET


def finished(job: Json) -> bool:
    """Whether the job carries its final condition."""
    status = job.get("status") or {}
    return conditions.is_true(status, COMPLETE) or conditions.is_true(status, FAILED)


def ending(facts: Facts) -> Ending | None:
    """Why the job is over, None while it goes on. A decision that was told once stays."""
    for final, interim in ((FAILED, FAILURE_TARGET), (COMPLETE, SUCCESS_MET)):
        condition = conditions.find(facts.status, interim)
        if condition is not None and condition["status"] == "True":
            return Ending(final, condition.get("reason", ""), condition.get("message", ""))
    return _failure(facts) or _success(facts)


def _failure(facts: Facts) -> Ending | None:
    for verdict in facts.verdicts.values():
        if verdict.action == "FailJob":
            return Ending(FAILED, "PodFailurePolicy", verdict.message)
    limit, exceeded = facts.spec.get("backoffLimit", 6), False
    if facts.spec["template"]["spec"].get("restartPolicy") == "OnFailure":
        # The restarts of containers count instead of failed pods.
        running = (pod for pod in facts.pods if pod.phase in ("Running", "Pending"))
        restarts = sum(status.restartCount for pod in running for status in pod.all_statuses)
        exceeded = restarts > 0 if limit == 0 else restarts >= limit
    if exceeded or facts.failed_count > limit:
        return Ending(FAILED, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    left = until_deadline(facts)
    if left is not None and left <= 0:
        return Ending(FAILED, "DeadlineExceeded", "Job was active longer than specified deadline")
    most = facts.spec.get("maxFailedIndexes")
    if facts.per_index and most is not None and len(facts.failed_indexes) > most:
        return Ending(
            FAILED, "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"
        )
    return None


def _success(facts: Facts) -> Ending | None:
    if facts.indexed and (why := policy.success(facts.job, facts.succeeded_indexes)):
        return Ending(COMPLETE, "SuccessPolicy", why)
    if facts.active:
        return None
    wanted = facts.completions
    if wanted is None:
        done = facts.succeeded_count > 0 and not facts.terminating
        return Ending(COMPLETE, "CompletionsReached", REACHED) if done else None
    if facts.succeeded_count >= wanted:
        return Ending(COMPLETE, "CompletionsReached", REACHED)
    if facts.failed_indexes and len(facts.succeeded_indexes | facts.failed_indexes) >= wanted:
        return Ending(FAILED, "FailedIndexes", "Job has failed indexes")
    return None


def until_deadline(facts: Facts) -> float | None:
    """Seconds until activeDeadlineSeconds are over; None when it does not run."""
    deadline, started = facts.spec.get("activeDeadlineSeconds"), facts.status.get("startTime")
    if deadline is None or not started or facts.suspended:
        return None
    left: float = clock.parse(started) + deadline - facts.now
    return left


def until_removal(job: Json, now: float) -> float | None:
    """Seconds until a finished job is to be deleted (ttlSecondsAfterFinished); None without a limit."""
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    if ttl is None:
        return None
    ends = [
        condition["lastTransitionTime"]
        for condition in job["status"]["conditions"]
        if condition["type"] in (COMPLETE, FAILED) and condition["status"] == "True"
    ]
    left: float = clock.parse(min(ends)) + ttl - now
    return left
