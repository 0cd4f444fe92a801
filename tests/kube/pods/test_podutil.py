"""Questions to a pod."""

from __future__ import annotations

import pytest

from kube.objects import Json
from kube.pods import podutil

POD: Json = {
    "metadata": {"name": "p", "namespace": "n", "uid": "u"},
    "spec": {
        "initContainers": [
            {"name": "step", "ports": [{"hostPort": 1, "containerPort": 1}]},
            {"name": "side", "restartPolicy": "Always", "ports": [{"hostPort": 53, "protocol": "UDP"}]},
        ],
        "containers": [{"name": "main", "ports": [{"hostPort": 80, "hostIP": "10.0.0.1"}, {"containerPort": 81}]}],
        "ephemeralContainers": [{"name": "debug"}],
    },
    "status": {
        "containerStatuses": [{"name": "main"}],
        "initContainerStatuses": [{"name": "step"}, {"name": "side"}],
        "ephemeralContainerStatuses": [{"name": "debug"}],
    },
}


def _pod(phase: str = "", conditions: list[Json] | None = None, **metadata: object) -> Json:
    return {"metadata": metadata, "spec": {}, "status": {"phase": phase, "conditions": conditions or []}}


def test_containers_of_all_sorts() -> None:
    spec = POD["spec"]
    assert [c["name"] for c in podutil.all_containers(spec)] == ["step", "side", "main", "debug"]
    assert [c["name"] for c in podutil.all_containers(spec, ephemeral=False)] == ["step", "side", "main"]
    assert [c["name"] for c in podutil.lasting(spec)] == ["main", "side"]
    assert podutil.lasting({}) == [] and list(podutil.all_containers({})) == []
    assert podutil.container(POD, "debug") == {"name": "debug"} and podutil.container(POD, "none") is None


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("main", "spec.containers{main}"),
        ("side", "spec.initContainers{side}"),
        ("debug", "spec.ephemeralContainers{debug}"),
    ],
)
def test_where_a_container_stands(name: str, path: str) -> None:
    assert podutil.field_path(POD, name) == path
    assert podutil.reported(POD, name) == {"name": name}


def test_statuses_in_the_order_of_their_start() -> None:
    assert [(one["name"], init) for one, init in podutil.statuses(POD)] == [
        ("step", True),
        ("side", True),
        ("main", False),
    ]
    assert podutil.reported(POD, "none") is None and list(podutil.statuses({})) == []


def test_ports_of_the_node_that_it_takes() -> None:
    assert podutil.host_ports(POD["spec"]) == (("TCP", "10.0.0.1", 80), ("UDP", "0.0.0.0", 53))


@pytest.mark.parametrize(
    ("phase", "finished"),
    [("", False), ("Pending", False), ("Running", False), ("Unknown", False), ("Succeeded", True), ("Failed", True)],
)
def test_whether_it_has_ended(phase: str, finished: bool) -> None:
    assert podutil.finished(_pod(phase)) is finished
    assert podutil.active(_pod(phase)) is not finished
    assert not podutil.active(_pod(phase, deletionTimestamp="2027-01-01T00:00:00Z"))
    assert podutil.phase({}) == "Pending"


def test_readiness_is_the_condition() -> None:
    assert podutil.ready(_pod(conditions=[{"type": "Ready", "status": "True"}]))
    assert not podutil.ready(_pod("Running", [{"type": "Ready", "status": "Unknown"}]))
    assert not podutil.ready(_pod("Running", [{"type": "ContainersReady", "status": "True"}]))


def test_available_when_it_was_ready_for_long_enough() -> None:
    since = "1970-01-01T00:01:40Z"  # 100 s
    assert podutil.available_in(since, 0, 100) == 0
    assert podutil.available_in(since, 30, 110) == 20
    assert podutil.available_in(since, 30, 130) == 0
    assert podutil.available_in(None, 30, 110) == 30


def test_grace() -> None:
    pod: Json = {"metadata": {}, "spec": {}}
    assert podutil.grace_period(pod) == podutil.own_grace_period(pod) == 30
    pod["spec"]["terminationGracePeriodSeconds"] = 0
    assert podutil.grace_period(pod) == 0
    pod["metadata"]["deletionGracePeriodSeconds"] = 7
    assert (podutil.grace_period(pod), podutil.own_grace_period(pod)) == (7, 0)


def test_it_is_overdue_when_its_grace_ran_out_after_the_time_of_its_deletion() -> None:
    gone = _pod(deletionTimestamp="1970-01-01T00:01:40Z", deletionGracePeriodSeconds=30)
    assert not podutil.overdue(gone, 130) and podutil.overdue(gone, 131)
    assert podutil.overdue(gone) and not podutil.overdue(_pod())
