"""Deployments, with the ReplicaSets below them, on a real store."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.cache import Cache
from controllers.deployment import DeploymentController, sizes
from controllers.deployment.sizes import DESIRED, MAXIMUM, REVISION
from controllers.replicaset import ReplicaSetController
from kube.objects import Json
from tests.controllers.world import World, condition, pending, ready, template


@pytest.fixture
def world(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(cache, [DeploymentController(), ReplicaSetController()], monkeypatch)


def deployment(world: World, replicas: int = 3, **spec: Any) -> Json:
    return world.create(
        "deployments.apps",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template(), **spec},
        },
    )


def set_image(world: World, image: str) -> None:
    world.edit("deployments.apps", "web", lambda d: d["spec"]["template"]["spec"]["containers"][0].update(image=image))


def sets(world: World) -> dict[str, Json]:
    """Replica sets by the image of their template."""
    return {rs["spec"]["template"]["spec"]["containers"][0]["image"]: rs for rs in world.list("replicasets.apps")}


def test_a_new_deployment_comes_up_and_tells_so(world: World) -> None:
    deployment(world)
    world.settle()
    status = world.get("deployments.apps", "web")["status"]
    counters = {name: status[name] for name in status if name.endswith("Replicas") or name == "replicas"}
    assert counters == {
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "terminatingReplicas": 0,
    }
    assert condition(status, "Available")["reason"] == "MinimumReplicasAvailable"
    assert condition(status, "Progressing")["reason"] == "NewReplicaSetAvailable"
    (rs,) = world.list("replicasets.apps")
    name = rs["metadata"]["name"]
    assert condition(status, "Progressing")["message"] == f'ReplicaSet "{name}" has successfully progressed.'
    assert rs["metadata"]["annotations"] == {REVISION: "1", DESIRED: "3", MAXIMUM: "4"}
    assert ("web", "Normal", "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to 3") in world.events
    assert world.reasons(name) == ["SuccessfulCreate"] * 3
    assert {p["metadata"]["labels"]["pod-template-hash"] for p in world.list("pods")} == {name.removeprefix("web-")}


def test_a_rolling_update_never_leaves_its_fences(world: World) -> None:
    deployment(world, 10, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 1}})
    world.settle()
    set_image(world, "app:2")
    for _ in range(40):
        before = world.cache.refresh()
        world.step()
        pods = [p for p in world.list("pods") if not p["metadata"].get("deletionTimestamp")]
        available = [p for p in pods if any(c["type"] == "Ready" for c in p["status"].get("conditions", ()))]
        assert len(pods) <= 12 and len(available) >= 9
        world.kubelets()
        if world.cache.refresh() == before:
            break
    assert {image: rs["spec"]["replicas"] for image, rs in sets(world).items()} == {"app:1": 0, "app:2": 10}


def test_a_stuck_rollout_stops_at_the_fences_and_misses_its_deadline(world: World) -> None:
    deployment(
        world, 4, progressDeadlineSeconds=5, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}}
    )
    world.settle()
    world.behave = lambda pod: ready(pod) if pod["spec"]["containers"][0]["image"] == "app:1" else None
    set_image(world, "never:1")
    world.settle()
    status = world.get("deployments.apps", "web")["status"]
    assert (status["replicas"], status["updatedReplicas"], status["availableReplicas"]) == (5, 2, 3)
    assert 0 < (world.after["default/web"] or 0) <= 6
    world.offset = 10
    world.settle()
    status = world.get("deployments.apps", "web")["status"]
    assert condition(status, "Progressing")["reason"] == "ProgressDeadlineExceeded"
    assert condition(status, "Available")["status"] == "True"
    set_image(world, "app:1")
    world.settle()
    status = world.get("deployments.apps", "web")["status"]
    assert condition(status, "Progressing")["reason"] == "NewReplicaSetAvailable"
    assert sets(world)["app:1"]["metadata"]["annotations"][REVISION] == "3", "a rollback is a new revision"
    assert sets(world)["app:1"]["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"


def test_recreate_removes_all_old_pods_first(world: World) -> None:
    deployment(world, 2, strategy={"type": "Recreate"})
    world.settle()
    set_image(world, "app:2")
    for _ in range(30):
        before = world.cache.refresh()
        world.step()
        images = {p["spec"]["containers"][0]["image"] for p in world.list("pods")}
        assert len(images) <= 1
        world.kubelets()
        if world.cache.refresh() == before:
            break
    assert {p["spec"]["containers"][0]["image"] for p in world.list("pods")} == {"app:2"}


def test_a_paused_deployment_scales_but_does_not_roll(world: World) -> None:
    deployment(world, 2)
    world.settle()
    world.edit("deployments.apps", "web", lambda d: d["spec"].update(paused=True, replicas=4))
    set_image(world, "app:2")
    world.settle()
    assert {image: rs["spec"]["replicas"] for image, rs in sets(world).items()} == {"app:1": 4}
    status = world.get("deployments.apps", "web")["status"]
    assert condition(status, "Progressing")["reason"] == "DeploymentPaused"
    world.edit("deployments.apps", "web", lambda d: d["spec"].update(paused=False))
    world.settle()
    assert sets(world)["app:2"]["spec"]["replicas"] == 4
    assert world.get("deployments.apps", "web")["metadata"]["annotations"][REVISION] == "2"


def test_scaling_in_the_middle_of_a_rollout_keeps_the_shares(world: World) -> None:
    deployment(world, 10, strategy={"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}})
    world.settle()
    world.behave = lambda pod: ready(pod) if pod["spec"]["containers"][0]["image"] == "app:1" else None
    set_image(world, "app:2")
    world.settle()
    assert {image: rs["spec"]["replicas"] for image, rs in sets(world).items()} == {"app:1": 8, "app:2": 5}
    world.edit("deployments.apps", "web", lambda d: d["spec"].update(replicas=15))
    world.settle()
    assert {image: rs["spec"]["replicas"] for image, rs in sets(world).items()} == {"app:1": 11, "app:2": 7}


def test_old_replica_sets_beyond_the_limit_go(world: World) -> None:
    deployment(world, 1, revisionHistoryLimit=1)
    world.settle()
    for image in ("app:2", "app:3", "app:4"):
        set_image(world, image)
        world.settle()
    assert set(sets(world)) == {"app:3", "app:4"}


def test_orphans_that_match_are_adopted_with_their_pods(world: World) -> None:
    deployment(world, 2)
    world.settle()
    names = set(world.pods())
    old = world.get("deployments.apps", "web")["metadata"]["uid"]
    for rs in world.list("replicasets.apps"):
        world.edit("replicasets.apps", rs["metadata"]["name"], lambda o: o["metadata"].pop("ownerReferences"))
    world.delete("deployments.apps", "web")
    deployment(world, 2)
    world.settle()
    (rs,) = world.list("replicasets.apps")
    assert rs["metadata"]["ownerReferences"][0]["uid"] not in ("", old)
    assert set(world.pods()) == names


def test_a_quota_that_refuses_pods_shows_in_the_conditions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from kube.errors import Forbidden

    deployment(world, 2)
    world.step()
    create_many = world.session.create_many

    def refuse(objects: Any) -> Any:
        objects = list(objects)
        if objects[0][0] == "pods":
            return [Forbidden("pods", "web", "exceeded quota")] * len(objects)
        return create_many(objects)

    monkeypatch.setattr(world.session, "create_many", refuse)
    for pod in world.pods():
        world.delete("pods", pod, gracePeriodSeconds=0)
    for _ in range(3):
        world.step()
    (rs,) = world.list("replicasets.apps")
    assert condition(rs["status"], "ReplicaFailure")["reason"] == "FailedCreate"
    status = world.get("deployments.apps", "web")["status"]
    assert "exceeded quota" in condition(status, "ReplicaFailure")["message"]
    assert "FailedCreate" in world.reasons(rs["metadata"]["name"])


def test_min_ready_seconds_delay_availability(world: World) -> None:
    deployment(world, 1, minReadySeconds=30)
    world.settle()
    status = world.get("deployments.apps", "web")["status"]
    assert status["readyReplicas"] == 1 and "availableReplicas" not in status
    (rs,) = world.list("replicasets.apps")
    assert 0 < (world.after[f"default/{rs['metadata']['name']}"] or 0) <= 30
    world.offset = 40
    world.settle()
    assert world.get("deployments.apps", "web")["status"]["availableReplicas"] == 1


def test_nothing_is_written_at_rest(world: World) -> None:
    world.behave = pending
    deployment(world, 2)
    world.settle()
    before = world.cache.refresh()
    for _ in range(3):
        world.step()
    assert world.cache.refresh() == before


@pytest.mark.parametrize(
    ("surge", "unavailable", "fences"),
    [
        ("25%", "25%", (3, 2)),
        (0, 0, (0, 1)),
        ("1%", "1%", (1, 0)),
        (4, "50%", (4, 5)),
    ],
)
def test_fences(surge: Any, unavailable: Any, fences: tuple[int, int]) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    assert sizes.fences({"spec": {"replicas": 10, "strategy": strategy}}) == fences
