"""What the row of a pod says in each of its states."""

from __future__ import annotations

from typing import Any

import pytest

from kube import clock
from kube.objects import Json
from tests.kube.kinds.groups.pipeline import CONTAINER, NOW, create, row

RUNNING = {"running": {"startedAt": "2027-01-01T00:00:00Z"}}


def container(state: Json, ready: bool = False, restarts: int = 0, **more: Any) -> Json:
    return {"name": "c", "ready": ready, "restartCount": restarts, "image": "i", "imageID": "i", "state": state, **more}


def shown(status: Json, spec: Json | None = None, meta: Json | None = None) -> tuple[str, str, str]:
    made = create("v1", "Pod", spec={"containers": [CONTAINER], **(spec or {})})
    made["metadata"].update(meta or {})
    made["status"] = status
    cells = row(made)
    return cells["Ready"], cells["Status"], cells["Restarts"]


INIT = {"initContainers": [{"name": "i", "image": "x"}, {"name": "j", "image": "x"}]}
SIDECAR = {"initContainers": [{"name": "i", "image": "x", "restartPolicy": "Always"}]}


def init(state: Json, restarts: int = 0, **more: Any) -> Json:
    return {**container(state, restarts=restarts, **more), "name": "i"}


@pytest.mark.parametrize(
    ("status", "spec", "expected"),
    [
        ({"phase": "Pending"}, {}, ("0/1", "Pending", "0")),
        ({"phase": "Running", "containerStatuses": [container(RUNNING, ready=True)]}, {}, ("1/1", "Running", "0")),
        (
            {"phase": "Pending", "containerStatuses": [container({"waiting": {"reason": "ContainerCreating"}})]},
            {},
            ("0/1", "ContainerCreating", "0"),
        ),
        (
            {
                "phase": "Running",
                "containerStatuses": [container({"waiting": {"reason": "CrashLoopBackOff"}}, restarts=5)],
            },
            {},
            ("0/1", "CrashLoopBackOff", "5"),
        ),
        (
            {"phase": "Failed", "containerStatuses": [container({"terminated": {"exitCode": 3}})]},
            {},
            ("0/1", "ExitCode:3", "0"),
        ),
        (
            {"phase": "Failed", "containerStatuses": [container({"terminated": {"exitCode": 137, "signal": 9}})]},
            {},
            ("0/1", "Signal:9", "0"),
        ),
        (
            {
                "phase": "Succeeded",
                "containerStatuses": [container({"terminated": {"reason": "Completed", "exitCode": 0}})],
            },
            {},
            ("0/1", "Completed", "0"),
        ),
        (
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
            },
            {},
            ("0/1", "SchedulingGated", "0"),
        ),
        ({"phase": "Failed", "reason": "Evicted"}, {}, ("0/1", "Evicted", "0")),
        ({"phase": "Pending", "initContainerStatuses": [init(RUNNING)]}, INIT, ("0/1", "Init:0/2", "0")),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [
                    init({"terminated": {"exitCode": 0}}),
                    {**init({"waiting": {"reason": "PodInitializing"}}), "name": "j"},
                ],
            },
            INIT,
            ("0/1", "Init:1/2", "0"),
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [init({"terminated": {"exitCode": 1, "reason": "Error"}}, 2)],
            },
            INIT,
            ("0/1", "Init:Error", "2"),
        ),
        (
            {"phase": "Pending", "initContainerStatuses": [init({"waiting": {"reason": "ImagePullBackOff"}})]},
            INIT,
            ("0/1", "Init:ImagePullBackOff", "0"),
        ),
        (
            {
                "phase": "Running",
                "initContainerStatuses": [init(RUNNING, 1, started=True) | {"ready": True}],
                "containerStatuses": [container(RUNNING, ready=True)],
            },
            SIDECAR,
            ("2/2", "Running", "1"),
        ),
    ],
)
def test_states(status: Json, spec: Json, expected: tuple[str, str, str]) -> None:
    assert shown(status, spec) == expected


def test_the_last_restart_has_an_age() -> None:
    ended = {"terminated": {"exitCode": 1, "finishedAt": clock.stamp(NOW - 300)}}
    status = {"phase": "Running", "containerStatuses": [container(RUNNING, True, 3, lastState=ended)]}
    assert shown(status)[2] == "3 (5m ago)"


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({"phase": "Running"}, "Terminating"),
        ({"phase": "Running", "reason": "NodeLost"}, "Unknown"),
        ({"phase": "Succeeded"}, "Succeeded"),
    ],
)
def test_deletion(status: Json, word: str) -> None:
    assert shown(status, meta={"deletionTimestamp": "2027-01-01T00:00:00Z"})[1] == word


def test_wide_columns() -> None:
    made = create(
        "v1",
        "Pod",
        spec={
            "containers": [CONTAINER],
            "nodeName": "n",
            "readinessGates": [{"conditionType": "g/a"}, {"conditionType": "g/b"}],
        },
    )
    made["status"].update(
        podIPs=[{"ip": "10.0.0.7"}], nominatedNodeName="m", conditions=[{"type": "g/a", "status": "True"}]
    )
    cells = row(made)
    assert (cells["IP"], cells["Node"], cells["Nominated Node"], cells["Readiness Gates"]) == (
        "10.0.0.7",
        "n",
        "m",
        "1/2",
    )
