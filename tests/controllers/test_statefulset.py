"""StatefulSets: order, identity, claims, updates."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.cache import Cache
from controllers.statefulset import StatefulSetController
from kube.objects import Json
from tests.controllers.world import World, ready, template


@pytest.fixture
def world(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(cache, [StatefulSetController()], monkeypatch)


def stateful_set(world: World, replicas: int = 3, **spec: Any) -> Json:
    return world.create(
        "statefulsets.apps",
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "db"},
            "spec": {
                "replicas": replicas,
                "serviceName": "db",
                "selector": {"matchLabels": {"app": "db"}},
                "template": template("db:1", app="db"),
                **spec,
            },
        },
    )


def set_image(world: World, image: str) -> None:
    world.edit("statefulsets.apps", "db", lambda s: s["spec"]["template"]["spec"]["containers"][0].update(image=image))


def images(world: World) -> dict[str, str]:
    return {p["metadata"]["name"]: p["spec"]["containers"][0]["image"] for p in world.list("pods")}


def claim(name: str = "data") -> Json:
    return {
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }


def test_pods_come_up_one_after_another_with_their_identity(world: World) -> None:
    stateful_set(world)
    world.step()
    world.step()
    assert world.pods() == ["db-0"]
    world.settle()
    assert world.pods() == ["db-0", "db-1", "db-2"]
    pod = world.get("pods", "db-1")
    revision = world.list("controllerrevisions.apps")[0]["metadata"]["name"]
    assert pod["metadata"]["labels"] == {
        "app": "db",
        "statefulset.kubernetes.io/pod-name": "db-1",
        "apps.kubernetes.io/pod-index": "1",
        "controller-revision-hash": revision,
    }
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("db-1", "db")
    status = world.get("statefulsets.apps", "db")["status"]
    assert status == {
        "observedGeneration": 1,
        "replicas": 3,
        "readyReplicas": 3,
        "currentReplicas": 3,
        "updatedReplicas": 3,
        "availableReplicas": 3,
        "currentRevision": revision,
        "updateRevision": revision,
        "collisionCount": 0,
    }
    assert ("db", "Normal", "SuccessfulCreate", "Create Pod db-0 in StatefulSet db successful") in world.events


def test_scaling_down_goes_from_the_highest_one_by_one(world: World) -> None:
    stateful_set(world)
    world.settle()
    world.edit("statefulsets.apps", "db", lambda s: s["spec"].update(replicas=1))
    world.step()
    marked = [p["metadata"]["name"] for p in world.list("pods") if p["metadata"].get("deletionTimestamp")]
    assert marked == ["db-2"]
    world.settle()
    assert world.pods() == ["db-0"]


def test_an_unready_pod_holds_up_the_next_unless_parallel(world: World) -> None:
    world.behave = lambda pod: None
    stateful_set(world)
    world.settle()
    assert world.pods() == ["db-0"]
    world.delete("statefulsets.apps", "db")
    world.delete("pods", "db-0", gracePeriodSeconds=0)
    stateful_set(world, podManagementPolicy="Parallel")
    world.step()
    assert world.pods() == ["db-0", "db-1", "db-2"]


def test_a_partition_keeps_low_ordinals_at_the_old_template(world: World) -> None:
    stateful_set(world, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}})
    world.settle()
    set_image(world, "db:2")
    world.settle()
    assert images(world) == {"db-0": "db:1", "db-1": "db:1", "db-2": "db:2"}
    status = world.get("statefulsets.apps", "db")["status"]
    assert (status["currentReplicas"], status["updatedReplicas"]) == (2, 1)
    world.delete("pods", "db-0")
    world.settle()
    assert images(world)["db-0"] == "db:1", "below the partition a pod comes back with its old template"
    world.edit("statefulsets.apps", "db", lambda s: s["spec"]["updateStrategy"]["rollingUpdate"].update(partition=0))
    world.settle()
    assert set(images(world).values()) == {"db:2"}
    status = world.get("statefulsets.apps", "db")["status"]
    assert status["currentRevision"] == status["updateRevision"] and status["currentReplicas"] == 3


def test_going_back_to_an_old_template_gives_its_revision_a_new_number(world: World) -> None:
    stateful_set(world, 1)
    world.settle()
    set_image(world, "db:2")
    world.settle()
    set_image(world, "db:1")
    world.settle()
    numbers = {
        r["data"]["spec"]["template"]["spec"]["containers"][0]["image"]: r["revision"]
        for r in world.list("controllerrevisions.apps")
    }
    assert numbers == {"db:2": 2, "db:1": 3}
    assert images(world) == {"db-0": "db:1"}


def test_on_delete_replaces_nothing_by_itself(world: World) -> None:
    stateful_set(world, 2, updateStrategy={"type": "OnDelete"})
    world.settle()
    set_image(world, "db:2")
    world.settle()
    assert images(world) == {"db-0": "db:1", "db-1": "db:1"}
    world.delete("pods", "db-1")
    world.settle()
    assert images(world) == {"db-0": "db:1", "db-1": "db:2"}


def test_claims_outlive_pods_and_are_named_after_them(world: World) -> None:
    stateful_set(world, 2, volumeClaimTemplates=[claim()])
    world.settle()
    names = [c["metadata"]["name"] for c in world.list("persistentvolumeclaims")]
    assert names == ["data-db-0", "data-db-1"]
    volume = next(v for v in world.get("pods", "db-1")["spec"]["volumes"] if v["name"] == "data")
    assert volume["persistentVolumeClaim"]["claimName"] == "data-db-1"
    world.edit("statefulsets.apps", "db", lambda s: s["spec"].update(replicas=1))
    world.settle()
    assert len(world.list("persistentvolumeclaims")) == 2


def test_the_retention_policy_ties_claims_to_what_goes(world: World) -> None:
    policy = {"whenDeleted": "Delete", "whenScaled": "Delete"}
    sts = stateful_set(world, 2, volumeClaimTemplates=[claim()], persistentVolumeClaimRetentionPolicy=policy)
    world.settle()

    def owner(name: str) -> tuple[str, str]:
        (reference,) = world.get("persistentvolumeclaims", name)["metadata"]["ownerReferences"]
        return reference["kind"], reference["uid"]

    assert owner("data-db-1") == ("StatefulSet", sts["metadata"]["uid"])
    uid = world.get("pods", "db-1")["metadata"]["uid"]
    world.edit("statefulsets.apps", "db", lambda s: s["spec"].update(replicas=1))
    world.step()
    assert owner("data-db-1") == ("Pod", uid)
    assert owner("data-db-0") == ("StatefulSet", sts["metadata"]["uid"])


def test_a_failed_pod_is_replaced(world: World) -> None:
    stateful_set(world, 1)
    world.settle()
    pod = world.get("pods", "db-0")
    pod["status"]["phase"] = "Failed"
    world.session.update("pods", "default", "db-0", pod, "status")
    world.settle()
    assert world.get("pods", "db-0")["metadata"]["uid"] != pod["metadata"]["uid"]
    assert "RecreatingFailedPod" in world.reasons("db")


def test_a_broken_rollout_stops_and_ordinals_may_start_elsewhere(world: World) -> None:
    stateful_set(world, 3, ordinals={"start": 5})
    world.settle()
    assert world.pods() == ["db-5", "db-6", "db-7"]
    world.behave = lambda pod: ready(pod) if pod["spec"]["containers"][0]["image"] == "db:1" else None
    set_image(world, "db:2")
    world.settle()
    assert images(world) == {"db-5": "db:1", "db-6": "db:1", "db-7": "db:2"}


def test_min_ready_seconds_hold_up_the_next_pod(world: World) -> None:
    stateful_set(world, 2, minReadySeconds=20)
    world.settle()
    assert world.pods() == ["db-0"]
    assert 0 < (world.after["default/db"] or 0) <= 20
    world.offset = 25
    world.settle()
    assert world.pods() == ["db-0", "db-1"]
