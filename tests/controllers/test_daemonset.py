"""DaemonSets: which nodes, updates by deletion and by surge."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.cache import Cache
from controllers.daemonset import DaemonSetController
from controllers.daemonset.placement import node_of
from kube.objects import Json
from tests.controllers.world import World, ready, template


@pytest.fixture
def world(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(cache, [DaemonSetController()], monkeypatch)
    made.nodes("node-0", "node-1", "node-2")
    return made


def daemon_set(world: World, **spec: Any) -> Json:
    return world.create(
        "daemonsets.apps",
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "agent"},
            "spec": {"selector": {"matchLabels": {"app": "agent"}}, "template": template("a:1", app="agent"), **spec},
        },
    )


def placed(world: World) -> dict[str, str]:
    """Image by node."""
    return {node_of(p["spec"]): p["spec"]["containers"][0]["image"] for p in world.list("pods")}


def set_image(world: World, image: str) -> None:
    world.edit("daemonsets.apps", "agent", lambda d: d["spec"]["template"]["spec"]["containers"][0].update(image=image))


def test_one_pod_on_every_node_with_tolerations(world: World) -> None:
    daemon_set(world)
    world.settle()
    assert set(placed(world)) == {"node-0", "node-1", "node-2"}
    status = world.get("daemonsets.apps", "agent")["status"]
    assert status == {
        "currentNumberScheduled": 3,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 3,
        "numberReady": 3,
        "observedGeneration": 1,
        "updatedNumberScheduled": 3,
        "numberAvailable": 3,
    }
    tolerated = [t["key"].partition("/")[2] for t in world.list("pods")[0]["spec"]["tolerations"]]
    assert tolerated == [
        "not-ready",
        "unreachable",
        "disk-pressure",
        "memory-pressure",
        "pid-pressure",
        "unschedulable",
    ]


def test_a_node_that_comes_gets_a_pod_and_one_that_goes_loses_it(world: World) -> None:
    daemon_set(world)
    world.settle()
    world.nodes("node-3")
    world.session.delete("nodes", "", "node-0")
    world.settle()
    assert set(placed(world)) == {"node-1", "node-2", "node-3"}


def test_taints_and_labels_decide(world: World) -> None:
    def taint(effect: str) -> Any:
        return lambda node: node["spec"].update(taints=[{"key": "k", "effect": effect}])

    daemon_set(world)
    world.settle()
    world.session.mutate("nodes", "", "node-1", taint("NoSchedule"))
    world.settle()
    assert "node-1" in placed(world), "NoSchedule lets stay what is there"
    assert world.get("daemonsets.apps", "agent")["status"]["numberMisscheduled"] == 1
    world.session.mutate("nodes", "", "node-1", taint("NoExecute"))
    world.settle()
    assert set(placed(world)) == {"node-0", "node-2"}
    world.edit(
        "daemonsets.apps", "agent", lambda d: d["spec"]["template"]["spec"].update(nodeSelector={"name": "node-2"})
    )
    world.settle()
    assert set(placed(world)) == {"node-2"}


def test_a_rolling_update_takes_one_node_at_a_time(world: World) -> None:
    daemon_set(world)
    world.settle()
    world.behave = lambda pod: ready(pod) if pod["spec"]["containers"][0]["image"] == "a:1" else None
    set_image(world, "a:2")
    world.settle()
    assert sorted(placed(world).values()) == ["a:1", "a:1", "a:2"]
    status = world.get("daemonsets.apps", "agent")["status"]
    assert (status["updatedNumberScheduled"], status["numberAvailable"], status["numberUnavailable"]) == (1, 2, 1)
    world.behave = ready
    world.settle()
    assert set(placed(world).values()) == {"a:2"}


def test_a_surge_starts_the_new_pod_beside_the_old_one(world: World) -> None:
    daemon_set(world, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    world.settle()
    world.behave = lambda pod: ready(pod) if pod["spec"]["containers"][0]["image"] == "a:1" else None
    set_image(world, "a:2")
    world.settle()
    assert sorted(p["spec"]["containers"][0]["image"] for p in world.list("pods")) == ["a:1", "a:1", "a:1", "a:2"]
    world.behave = ready
    world.settle()
    assert sorted(p["spec"]["containers"][0]["image"] for p in world.list("pods")) == ["a:2", "a:2", "a:2"]


def test_on_delete_waits_for_the_user(world: World) -> None:
    daemon_set(world, updateStrategy={"type": "OnDelete"})
    world.settle()
    set_image(world, "a:2")
    world.settle()
    assert set(placed(world).values()) == {"a:1"}
    world.delete("pods", world.pods()[0])
    world.settle()
    assert sorted(placed(world).values()) == ["a:1", "a:1", "a:2"]


def test_history_is_kept_to_its_limit(world: World) -> None:
    daemon_set(world, revisionHistoryLimit=1)
    for image in ("a:1", "a:2", "a:3", "a:4"):
        set_image(world, image)
        world.settle()
    assert [r["revision"] for r in world.list("controllerrevisions.apps")] != []
    assert sorted(r["revision"] for r in world.list("controllerrevisions.apps")) == [3, 4]


def test_a_pod_that_ends_is_replaced_ever_more_slowly(world: World) -> None:
    def broken(pod: Json) -> Json:
        return {"phase": "Failed"} if pod["spec"]["nodeName"] == "node-1" else ready(pod)

    world.behave = broken
    daemon_set(world)
    for _ in range(12):
        world.step()
        world.kubelets()
    assert world.reasons("agent").count("FailedDaemonPod") == 1
    assert 0 < (world.after["default/agent"] or 0) <= 1
    world.offset += 1.5
    for _ in range(6):
        world.step()
        world.kubelets()
    assert world.reasons("agent").count("FailedDaemonPod") == 2
    assert 1 < (world.after["default/agent"] or 0) <= 2
