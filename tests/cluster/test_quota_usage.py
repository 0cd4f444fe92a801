"""What an object costs under a quota, and which objects a quota is about."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.admission.quota_usage import matches_scopes, usage
from kube.objects import Json
from kube.registry import load


def _pod(resources: Json | None = None, status: Json | None = None, **more: Any) -> Json:
    spec = {"containers": [{"name": "c", "resources": resources or {}}], **more.pop("spec", {})}
    return {"metadata": {"name": "p", **more}, "spec": spec, "status": status or {}}


def _costs(pod: Json) -> dict[str, str]:
    kind = load().by_storage("pods")
    assert kind is not None
    return {name: str(amount) for name, amount in usage(kind, pod).items()}


def test_extended_resources_count_as_requests_only() -> None:
    amounts = {"example.com/gpu": "2", "hugepages-2Mi": "4Mi", "ephemeral-storage": "1Gi"}
    assert _costs(_pod({"requests": amounts, "limits": amounts})) == {
        "count/pods": "1",
        "pods": "1",
        "requests.example.com/gpu": "2",
        "hugepages-2Mi": "4Mi",
        "requests.hugepages-2Mi": "4Mi",
        "ephemeral-storage": "1Gi",
        "requests.ephemeral-storage": "1Gi",
        "limits.ephemeral-storage": "1Gi",
    }


@pytest.mark.parametrize(
    "ended",
    [
        _pod({"requests": {"cpu": "1"}}, {"phase": "Succeeded"}),
        _pod({"requests": {"cpu": "1"}}, {"phase": "Failed"}),
        _pod({"requests": {"cpu": "1"}}, deletionTimestamp="2020-01-01T00:00:00Z", deletionGracePeriodSeconds=30),
    ],
)
def test_what_has_ended_or_should_be_gone_costs_its_count_only(ended: Json) -> None:
    assert _costs(ended) == {"count/pods": "1"}


def test_one_that_is_being_deleted_costs_until_its_grace_is_over() -> None:
    going = _pod({"requests": {"cpu": "1"}}, deletionTimestamp="2999-01-01T00:00:00Z", deletionGracePeriodSeconds=30)
    assert _costs(going)["requests.cpu"] == "1"


@pytest.mark.parametrize(
    ("pod", "best_effort"),
    [
        (_pod(), True),
        (_pod({"requests": {"cpu": "0"}}), True),
        (_pod({"requests": {"example.com/gpu": "1"}}), True),
        (_pod({"limits": {"memory": "1Gi"}}), False),
        (_pod(spec={"initContainers": [{"name": "i", "resources": {"requests": {"cpu": "1"}}}]}), False),
        (_pod(spec={"resources": {"requests": {"cpu": "1"}}}), False),
        (_pod(status={"qosClass": "Burstable"}), False),
    ],
)
def test_the_scope_best_effort_is_the_class_of_the_pod(pod: Json, best_effort: bool) -> None:
    assert matches_scopes({"scopes": ["BestEffort"]}, "pods", pod) is best_effort
    assert matches_scopes({"scopes": ["NotBestEffort"]}, "pods", pod) is not best_effort
