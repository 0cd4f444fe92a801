"""What pods request and are limited to: one table, from which the tests of all who count take what they expect."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

from kube.objects import Json

MIB = 2**20


def container(cpu: str = "", memory: str = "", *, limits: Json | None = None, **more: Any) -> Json:
    """A container that requests these, as the API stores it: what is limited is requested, too."""
    asked = {**(limits or {}), **({"cpu": cpu} if cpu else {}), **({"memory": memory} if memory else {})}
    resources = {**({"requests": asked} if asked else {}), **({"limits": limits} if limits else {})}
    return {"name": more.pop("name", "c"), "image": "i", "resources": resources, **more}


def sidecar(cpu: str = "", memory: str = "", *, limits: Json | None = None) -> Json:
    return container(cpu, memory, limits=limits, name="s", restartPolicy="Always")


class Case(NamedTuple):
    """CPU in milli-cores, memory in bytes, overhead included; `limited`: which of `limits` bound the pod as a whole."""

    name: str
    spec: Json
    requests: tuple[int, int]
    limits: tuple[int, int] = (0, 0)
    limited: tuple[bool, bool] = (False, False)
    status: Json | None = None


def _named(spec: Json) -> Json:
    """The same spec, each container with a name of its own: c0, c1 and i0, i1 for those before them."""
    return {
        **spec,
        **{
            section: [{**each, "name": f"{letter}{i}"} for i, each in enumerate(spec.get(section) or ())]
            for section, letter in (("containers", "c"), ("initContainers", "i"))
        },
    }


def _holds(name: str, allocated: Json, runs: Json) -> Json:
    return {"name": name, "allocatedResources": allocated, "resources": {"requests": runs}}


OVERHEAD = {"cpu": "250m", "memory": "64Mi"}
CASES = [
    Case("nothing is said", {"containers": [container()]}, (0, 0)),
    Case(
        "containers add up, however they are written",
        {"containers": [container("100m", "1Mi"), container("0.2", "1048576"), container("1e-1")]},
        (400, 2 * MIB),
    ),
    Case("fractions of a unit add up before they are rounded", {"containers": [container("400u")] * 2}, (1, 0)),
    Case(
        "a step before them needs the more of both",
        {"containers": [container("500m", "300Mi")], "initContainers": [container("2", "100Mi")]},
        (2000, 300 * MIB),
    ),
    Case(
        "a sidecar runs beside the containers and beside the steps after it",
        {
            "containers": [container("500m")],
            "initContainers": [sidecar("1"), container("2")],
            "overhead": {"cpu": "250m"},
        },
        (3250, 0),
    ),
    Case(
        "a step before the sidecar runs alone",
        {"containers": [container("500m")], "initContainers": [container("2"), sidecar("1")]},
        (2000, 0),
    ),
    Case(
        "sidecars add up",
        {"containers": [container("100m")], "initContainers": [sidecar("1"), sidecar("1"), container("50m")]},
        (2100, 0),
    ),
    Case(
        "what is said of the pod counts instead",
        {
            "containers": [container("500m", "10Mi")],
            "resources": {"requests": {"cpu": "4"}, "limits": {"cpu": "5"}},
        },
        (4000, 10 * MIB),
        (5000, 0),
        (True, False),
    ),
    Case(
        "overhead comes on top of what is said of the pod",
        {"containers": [container("500m")], "resources": {"requests": {"cpu": "4"}}, "overhead": OVERHEAD},
        (4250, 64 * MIB),
    ),
    Case(
        "limits add up, with overhead where there is one",
        {
            "containers": [
                container("1", limits={"cpu": "2"}),
                container("100m", "1Mi", limits={"cpu": "1", "memory": "8Mi"}),
            ],
            "initContainers": [sidecar(limits={"cpu": "500m"})],
            "overhead": OVERHEAD,
        },
        (1000 + 100 + 500 + 250, 65 * MIB),
        (3750, 72 * MIB),
        (True, False),
    ),
    Case(
        "while a resize is under way the most counts of what is asked for, set aside and in use",
        {"containers": [container("2", "10Mi"), container("1")]},
        (4000, 30 * MIB),
        status={
            "containerStatuses": [
                _holds("c0", {"cpu": "3", "memory": "20Mi"}, {"cpu": "1", "memory": "30Mi"}),
                _holds("c1", {"cpu": "1"}, {"cpu": "1"}),
            ]
        },
    ),
    Case(
        "a resize that the node can never do does not count",
        {"containers": [container("9")]},
        (2000, 0),
        status={
            "conditions": [{"type": "PodResizePending", "status": "True", "reason": "Infeasible"}],
            "containerStatuses": [_holds("c0", {"cpu": "2"}, {"cpu": "1"})],
        },
    ),
    Case(
        "of a step that ended nothing is in use",
        {"containers": [container("1")], "initContainers": [container("500m")]},
        (1000, 0),
        status={"initContainerStatuses": [_holds("i0", {"cpu": "8"}, {"cpu": "8"})]},
    ),
]
CASES = [case._replace(spec=_named(case.spec)) for case in CASES]
IDS = [case.name for case in CASES]


def pod(case: Case) -> Json:
    """The pod of a case, bound to a node; its own, since defaulting and admission change what they are given."""
    metadata = {"name": "p", "namespace": "default", "uid": "u"}
    return copy.deepcopy({"metadata": metadata, "spec": {**case.spec, "nodeName": "n"}, "status": case.status or {}})
