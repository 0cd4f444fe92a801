"""What counts as healthy, for each kind of workload; and why a pod is not, in words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from addons import health
from cluster.cache import Entry
from cluster.store import Key
from tests.dashboard import world


def workload(kind: str, spec: dict[str, Any] | None = None, **status: int) -> dict[str, Any]:
    labels = {"addons.binnacle/name": "sample"}
    template = {"spec": {"containers": [{"name": "main", "image": "binnacle/x"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "spec": {"template": template, **(spec or {})},
        "status": status,
        "metadata": world.meta("worker", "kube-system", labels=labels, generation=2),
    }


DONE = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}
EACH = {"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberReady": 2}


@pytest.mark.parametrize(
    ("obj", "trouble"),
    [
        (workload("Deployment", {"replicas": 2}, **DONE), ""),
        (
            workload("Deployment", {"replicas": 2}, **{**DONE, "observedGeneration": 1}),
            "its controller has not seen it yet",
        ),
        (workload("Deployment", {"replicas": 2}, **{**DONE, "updatedReplicas": 1}), "1 of 2 pods run the new version"),
        (workload("Deployment", {"replicas": 2}, **{**DONE, "replicas": 3}), "1 old pods are still there"),
        (workload("Deployment", {"replicas": 2}, observedGeneration=2), "0 of 2 pods run the new version"),
        (workload("StatefulSet", {"replicas": 2}, **{**DONE, "readyReplicas": 1}), "1 of 2 pods are ready"),
        (
            workload(
                "StatefulSet", {"replicas": 2, "updateStrategy": {"type": "OnDelete"}}, **{**DONE, "updatedReplicas": 0}
            ),
            "",
        ),
        (workload("DaemonSet", **EACH), ""),
        (workload("DaemonSet", **{**EACH, "updatedNumberScheduled": 0}), "0 of 2 pods run the new version"),
        (workload("DaemonSet", **{**EACH, "numberReady": 1}), "1 of 2 pods are ready"),
        (workload("DaemonSet", **dict.fromkeys(EACH, 0)), "its controller has not seen it yet"),
    ],
)
def test_a_workload_is_done_when_its_rollout_is(obj: dict[str, Any], trouble: str) -> None:
    nobody: Any = SimpleNamespace(by_owner=lambda uid: [])
    found = health.workload(Entry(Key("workloads", "kube-system", "worker"), 1, orjson.dumps(obj)), nobody)
    assert (found.trouble, found.images) == (trouble, ("binnacle/x",))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (world.running("main", 60), ""),
        (world.crashing("main"), "pod p: container main ended with exit code 1, CrashLoopBackOff"),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]},
            "pod p: 0/1 nodes are available",
        ),
        (
            {"containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "ErrImagePull"}}}]},
            "pod p: container main: ErrImagePull",
        ),
        (
            {"containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}]},
            "pod p is not ready",
        ),
        ({}, "pod p is not ready"),
    ],
)
def test_a_pod_says_why_it_is_not_ready(status: dict[str, Any], words: str) -> None:
    assert health.pod_trouble({"metadata": {"name": "p"}, "status": status}) == words
