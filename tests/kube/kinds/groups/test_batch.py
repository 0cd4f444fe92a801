"""Job and CronJob."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kube.kinds.groups.pipeline import CONTAINER, create, refused, row, update

POD = {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}
UID = "batch.kubernetes.io/controller-uid"


def job(**spec: Any) -> dict[str, Any]:
    return create("batch/v1", "Job", spec={"template": POD, **spec})


def cron(**spec: Any) -> dict[str, Any]:
    template = {"spec": {"template": POD}}
    return create("batch/v1", "CronJob", spec={"schedule": "* * * * *", "jobTemplate": template, **spec})


def test_job_defaults_and_generated_selector() -> None:
    made = job()
    labels = {UID: "u1", "batch.kubernetes.io/job-name": "x", "controller-uid": "u1", "job-name": "x"}
    assert made["spec"]["selector"] == {"matchLabels": {UID: "u1"}}
    assert made["spec"]["template"]["metadata"]["labels"] == labels == made["metadata"]["labels"]
    assert (made["spec"]["parallelism"], made["spec"]["completions"], made["spec"]["backoffLimit"]) == (1, 1, 6)
    assert made["spec"]["completionMode"] == "NonIndexed"
    assert made["spec"]["podReplacementPolicy"] == "TerminatingOrFailed"


def test_a_selector_that_was_not_generated_is_refused() -> None:
    assert ("spec.selector", "Invalid") in refused(job, selector={"matchLabels": {"q": "r"}})


@pytest.mark.parametrize(
    ("rule", "cause"),
    [
        ({"action": "Odd", "onExitCodes": {"operator": "In", "values": [1]}}, ("action", "NotSupported")),
        ({"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [1]}}, ("action", "Invalid")),
        ({"action": "FailJob", "onExitCodes": {"operator": "In", "values": [0]}}, ("onExitCodes.values[0]", "Invalid")),
        ({"action": "FailJob", "onExitCodes": {"operator": "In", "values": [2, 1]}}, ("onExitCodes.values", "Invalid")),
        ({"action": "FailJob"}, ("", "Invalid")),
    ],
)
def test_failure_policy(rule: dict[str, Any], cause: tuple[str, str]) -> None:
    path = "spec.podFailurePolicy.rules[0]"
    assert refused(job, podFailurePolicy={"rules": [rule]}) == {(f"{path}.{cause[0]}" if cause[0] else path, cause[1])}


def test_what_of_a_job_may_change() -> None:
    old = job()
    assert update(old, {"spec": {"parallelism": 4}})["metadata"]["generation"] == 2
    for change, field in (
        ({"completions": 3}, "spec.completions"),
        ({"completionMode": "Indexed"}, "spec.completionMode"),
        ({"template": {"spec": {"restartPolicy": "OnFailure"}}}, "spec.template"),
    ):
        assert (field, "Invalid") in refused(update, old, {"spec": change})


def test_a_suspended_job_may_be_rescheduled() -> None:
    old = job(suspend=True)
    new = update(old, {"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}})
    assert new["spec"]["template"]["spec"]["nodeSelector"] == {"a": "b"}
    change = {"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}}
    assert refused(update, old, change) == {("spec.template.spec", "Invalid")}


def test_indexed_jobs_scale_with_their_parallelism() -> None:
    old = job(completionMode="Indexed", completions=2, parallelism=2)
    assert update(old, {"spec": {"completions": 3, "parallelism": 3}})["spec"]["completions"] == 3
    assert ("spec.completions", "Invalid") in refused(update, old, {"spec": {"completions": 3}})


def test_a_finished_job_says_when_it_started_and_why_it_ended() -> None:
    assert refused(update, job(), {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}, "status") == {
        ("status.completionTime", "Required"),
        ("status.conditions", "Invalid"),
        ("status.startTime", "Required"),
    }
    done = {
        "startTime": "2027-01-01T00:00:00Z",
        "completionTime": "2027-01-01T00:01:30Z",
        "succeeded": 1,
        "conditions": [{"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"}],
    }
    finished = update(job(), {"status": done}, "status")
    cells = row(finished)
    assert (cells["Status"], cells["Completions"], cells["Duration"]) == ("Complete", "1/1", "90s")
    assert ("status.conditions", "Invalid") in refused(update, finished, {"status": {"conditions": []}}, "status")


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"schedule": "x"}, ("spec.schedule", "Invalid")),
        ({"schedule": ""}, ("spec.schedule", "Required")),
        ({"schedule": "TZ=UTC * * * * *"}, ("spec.schedule", "Invalid")),
        ({"timeZone": "Odd/Place"}, ("spec.timeZone", "Invalid")),
        ({"timeZone": "Local"}, ("spec.timeZone", "Invalid")),
        ({"concurrencyPolicy": "Odd"}, ("spec.concurrencyPolicy", "NotSupported")),
        ({"startingDeadlineSeconds": -1}, ("spec.startingDeadlineSeconds", "Invalid")),
    ],
)
def test_cronjob_rules(spec: dict[str, Any], cause: tuple[str, str]) -> None:
    assert refused(cron, **spec) == {cause}


def test_cronjob_defaults_and_cells() -> None:
    made = cron(timeZone="Europe/Berlin")
    assert (made["spec"]["successfulJobsHistoryLimit"], made["spec"]["failedJobsHistoryLimit"]) == (3, 1)
    assert "backoffLimit" not in made["spec"]["jobTemplate"]["spec"]
    cells = row(made)
    assert (cells["Timezone"], cells["Suspend"], cells["Active"], cells["Last Schedule"]) == (
        "Europe/Berlin",
        "False",
        0,
        "<none>",
    )
