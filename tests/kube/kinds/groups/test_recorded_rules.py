"""Rules of workloads, limits, events and nodes that a field at a time is held against."""

from __future__ import annotations

from typing import Any

import pytest

from kube.kinds.batch.jobspec import count_indexes
from kube.objects import Json
from tests.kube.kinds.groups.pipeline import create, refused, update

POD: Json = {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}
JOB: Json = {"completions": 3, "parallelism": 1, "completionMode": "Indexed", "template": {"spec": POD}}


def job(**spec: Any) -> Json:
    return create("batch/v1", "Job", spec={**JOB, **spec})


def cron_job(**spec: Any) -> Json:
    return create(
        "batch/v1",
        "CronJob",
        spec={"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": POD}, **spec}}},
    )


@pytest.mark.parametrize(("text", "count"), [("0", 1), ("0-2", 3), ("0,2", 2), ("0-1,3-4", 4)])
def test_indexes_are_counted(text: str, count: int) -> None:
    assert count_indexes(text, 5) == count


@pytest.mark.parametrize("text", ["a", "1-0", "0,0", "5", "0-1-2", "-1", "0-1,1"])
def test_bad_indexes(text: str) -> None:
    with pytest.raises(ValueError):
        count_indexes(text, 5)


def test_a_success_policy_counts_the_indexes_it_names() -> None:
    causes = refused(job, successPolicy={"rules": [{"succeededIndexes": "0", "succeededCount": 2}]})
    assert causes == {("spec.successPolicy.rules[0].succeededCount", "Invalid")}


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"managedBy": ""}, ("managedBy", "Required")),
        ({"manualSelector": True}, ("manualSelector", "NotSupported")),
        ({"backoffLimitPerIndex": 1}, ("backoffLimitPerIndex", "Invalid")),
        ({"maxFailedIndexes": 1}, ("backoffLimitPerIndex", "Required")),
    ],
)
def test_a_cron_job_judges_its_job(spec: Json, cause: tuple[str, str]) -> None:
    assert (f"spec.jobTemplate.spec.{cause[0]}", cause[1]) in refused(cron_job, **spec)


def test_claim_templates_are_judged_when_they_are_new() -> None:
    labels = {"matchLabels": {"a": "b"}}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    claim = {"metadata": {"name": "v"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    spec = {"selector": labels, "template": template, "volumeClaimTemplates": [claim]}
    causes = refused(create, "apps/v1", "StatefulSet", spec=spec)
    assert causes == {("spec.volumeClaimTemplates[0].spec.resources[storage]", "Required")}


def test_data_of_a_revision_is_an_object() -> None:
    assert refused(create, "apps/v1", "ControllerRevision", revision=1, data="a") == {("data", "Required")}


def test_ranges_of_a_node_follow_the_first() -> None:
    made = create("v1", "Node", spec={"podCIDR": "10.0.0.0/24", "podCIDRs": ["odd"], "configSource": {}})
    assert made["spec"] == {"podCIDR": "10.0.0.0/24", "podCIDRs": ["10.0.0.0/24"]}
    assert refused(update, made, {"spec": {"externalID": "x"}}) == {("spec.externalID", "Forbidden")}


def test_types_of_limits_are_known_or_of_a_domain() -> None:
    spec = {"limits": [{"type": "odd"}]}
    assert refused(create, "v1", "LimitRange", spec=spec) == {("spec.limits[0].type", "Invalid")}
    create("v1", "LimitRange", spec={"limits": [{"type": "example.com/odd"}]})


def test_a_scope_is_applied_to_what_it_can_count() -> None:
    scoped = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]}
    spec = {"hard": {"services": "1"}, "scopeSelector": scoped}
    assert refused(create, "v1", "ResourceQuota", spec=spec) == {("spec.scopeSelector.matchExpressions", "Invalid")}
    create("v1", "ResourceQuota", spec={**spec, "hard": {"pods": "1"}})


def test_a_class_without_a_policy_is_told() -> None:
    assert refused(create, "scheduling.k8s.io/v1", "PriorityClass", value=1, preemptionPolicy="") == {
        ("preemptionPolicy", "Required")
    }


def test_a_lease_leaves_out_what_nobody_switched_on() -> None:
    made = create("coordination.k8s.io/v1", "Lease", spec={"strategy": "a b", "preferredHolder": "h"})
    assert not made["spec"]
