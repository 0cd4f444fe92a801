"""ReplicaSets and ReplicationControllers: who goes first, adoption, release, status."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.cache import Cache
from controllers import pods, ranking
from controllers.replicaset import ReplicaSetController
from controllers.replicationcontroller import ReplicationControllerController
from kube import clock
from kube.objects import Json
from tests.controllers.world import World, template

NOW = 1_800_000_000.0


@pytest.fixture
def world(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(cache, [ReplicaSetController(), ReplicationControllerController()], monkeypatch)


def replica_set(world: World, replicas: int, **spec: Any) -> Json:
    return world.create(
        "replicasets.apps",
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": "web"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template(), **spec},
        },
    )


def pod(
    name: str,
    node: str = "n",
    phase: str = "Running",
    ready_for: float | None = 5000,
    age: float = 5000,
    cost: str = "",
    restarts: int = 0,
) -> pods.PodView:
    conditions = []
    if ready_for is not None:
        conditions = [pods.ConditionView("Ready", "True", None, clock.stamp(NOW - ready_for))]
    notes = {ranking.COST: cost} if cost else {}
    meta = pods.MetaView(name, "default", name, {}, notes, None, clock.stamp(NOW - age))
    containers = [pods.ContainerStatusView("c", restarts)]
    return pods.PodView(meta, pods.SpecView(node or None), pods.StatusView(phase, conditions, containers))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pod("unbound", node=""), pod("bound", phase="Pending", ready_for=None)),
        (pod("pending", phase="Pending", ready_for=None), pod("running", ready_for=None)),
        (pod("unready", ready_for=None), pod("ready")),
        (pod("cheap", cost="-1"), pod("dear")),
        (pod("crowded", node="full"), pod("alone")),
        (pod("just-ready", ready_for=2), pod("long-ready")),
        (pod("restarted", restarts=3), pod("calm")),
        (pod("young", age=100), pod("old")),
        (pod("a", cost="not a number", restarts=1), pod("b")),
    ],
)
def test_order_of_deletion(first: pods.PodView, second: pods.PodView) -> None:
    related = [first, second, *(pod(f"x{i}", node="full") for i in range(3))]
    for both in ([first, second], [second, first]):
        assert ranking.doomed(both, related, 1, NOW) == [first]


def test_scaling_up_and_down(world: World) -> None:
    replica_set(world, 4)
    world.settle()
    assert len(world.pods()) == 4
    world.edit("replicasets.apps", "web", lambda rs: rs["spec"].update(replicas=1))
    world.settle()
    assert len(world.pods()) == 1
    status = world.get("replicasets.apps", "web")["status"]
    assert status == {
        "replicas": 1,
        "fullyLabeledReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "terminatingReplicas": 0,
        "observedGeneration": 2,
    }
    assert world.reasons("web") == ["SuccessfulCreate"] * 4 + ["SuccessfulDelete"] * 3


def test_a_finished_pod_is_replaced(world: World) -> None:
    replica_set(world, 1)
    world.settle()
    (name,) = world.pods()
    lost = world.get("pods", name)
    lost["status"]["phase"] = "Failed"
    world.session.update("pods", "default", name, lost, "status")
    world.settle()
    assert len(world.pods()) == 2
    assert world.get("replicasets.apps", "web")["status"]["replicas"] == 1


def test_a_pod_that_stops_matching_is_released_and_replaced(world: World) -> None:
    replica_set(world, 1)
    world.settle()
    (name,) = world.pods()
    world.edit("pods", name, lambda p: p["metadata"]["labels"].update(app="other"))
    world.settle()
    assert len(world.pods()) == 2
    assert "ownerReferences" not in world.get("pods", name)["metadata"]


def test_an_orphan_that_matches_is_adopted(world: World) -> None:
    world.create(
        "pods",
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "lone", "labels": {"app": "web"}},
            "spec": template()["spec"],
        },
    )
    rs = replica_set(world, 1)
    world.settle()
    assert world.pods() == ["lone"]
    (reference,) = world.get("pods", "lone")["metadata"]["ownerReferences"]
    assert reference == {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web",
        "uid": rs["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def test_more_than_one_burst_in_one_pass_after_another(world: World) -> None:
    replica_set(world, 620)
    world.step()
    assert len(world.pods()) == 500
    assert world.after["default/web"] == 0.0
    world.step()
    assert len(world.pods()) == 620


def test_after_a_failure_it_starts_small(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from kube.errors import Forbidden

    replica_set(world, 8)
    sizes: list[int] = []
    create_many, allowed = world.session.create_many, [False]

    def limited(objects: Any) -> Any:
        objects = list(objects)
        sizes.append(len(objects))
        return create_many(objects) if allowed[0] else [Forbidden("pods", "web", "no")] * len(objects)

    monkeypatch.setattr(world.session, "create_many", limited)
    world.step()
    world.step()
    assert sizes == [8, 1]
    allowed[0] = True
    world.step()
    assert sizes == [8, 1, 1, 2, 4, 1]
    assert len(world.pods()) == 8


def test_a_replication_controller_has_a_plain_selector(world: World) -> None:
    world.create(
        "replicationcontrollers",
        {
            "apiVersion": "v1",
            "kind": "ReplicationController",
            "metadata": {"name": "rc"},
            "spec": {"replicas": 2, "selector": {"app": "web"}, "template": template()},
        },
    )
    world.settle()
    status = world.get("replicationcontrollers", "rc")["status"]
    assert status == {
        "replicas": 2,
        "fullyLabeledReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "observedGeneration": 1,
    }
