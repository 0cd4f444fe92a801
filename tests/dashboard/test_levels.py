from __future__ import annotations

from typing import Any

import pytest

from dashboard.levels import BAD, DONE, NONE, OK, PROGRESS, judge
from tests.dashboard import world


def with_status(status: dict[str, Any], **meta: Any) -> dict[str, Any]:
    pod = world.pod("a", "default", status=status)
    pod["metadata"].update(meta)
    return pod


@pytest.mark.parametrize(
    ("pod", "verdict"),
    [
        (with_status(world.running("a", 10)), (OK, "Running")),
        (with_status(world.crashing("a")), (BAD, "CrashLoopBackOff")),
        (with_status(world.unschedulable()), (BAD, "Unschedulable")),
        (with_status({"phase": "Succeeded"}), (DONE, "Succeeded")),
        (with_status({"phase": "Failed", "reason": "Evicted"}), (BAD, "Evicted")),
        (with_status({"phase": "Pending"}), (PROGRESS, "Pending")),
        (with_status({}), (PROGRESS, "Pending")),
        (with_status(world.running("a", 10), deletionTimestamp=world.ago(1)), (PROGRESS, "Terminating")),
        (
            with_status(
                {
                    "phase": "Pending",
                    "initContainerStatuses": [{"name": "i", "state": {"waiting": {"reason": "ErrImagePull"}}}],
                }
            ),
            (BAD, "Init:ErrImagePull"),
        ),
    ],
)
def test_pods(pod: dict[str, Any], verdict: tuple[int, str]) -> None:
    assert judge("pods", pod) == verdict


def test_nodes_deployments_and_others() -> None:
    assert judge("nodes", world.node("a")) == (OK, "Ready")
    assert judge("nodes", world.node("a", ready=False)) == (BAD, "Unknown")
    assert judge("deployments.apps", world.deployment("a", "d", 2, 2))[0] == OK
    assert judge("deployments.apps", world.deployment("a", "d", 2, 0))[0] == BAD
    assert judge("replicasets.apps", {"metadata": {}, "spec": {"replicas": 0}, "status": {}}) == (DONE, "Scaled to 0")
    complete = {"metadata": {}, "status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    assert judge("jobs.batch", complete) == (DONE, "Complete")


def test_custom_resources_with_anything_for_a_status() -> None:
    assert judge("things.example.com", {"metadata": {}, "status": "fine"}) == (NONE, "")
    assert judge("things.example.com", {"metadata": {}, "status": {"conditions": [7, {"type": 1}]}}) == (NONE, "")
    ready = {"metadata": {}, "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "NoDisk"}]}}
    assert judge("things.example.com", ready) == (BAD, "NoDisk")
