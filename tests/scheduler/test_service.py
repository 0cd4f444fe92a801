"""The scheduler on a real store: bindings, conditions, events, preemption, restart."""

from __future__ import annotations

import time

import pytest

from cluster import events
from cluster.store import Key
from cluster.verbs import Session
from scheduler.service import Scheduler
from tests.scheduler import build


@pytest.fixture
def session(cache, store):
    made = Session(1, "system:admin", cache, store)
    made.create("namespaces", "", {"metadata": {"name": "default"}})
    made.create("serviceaccounts", "default", {"metadata": {"name": "default"}})
    return made


@pytest.fixture
def scheduler(session, cache):
    made = Scheduler(session, cache, seed=1)
    yield made
    made.close()


def put_nodes(session, *nodes):
    for node in nodes:
        made = session.create("nodes", "", node)
        made["status"] = node["status"]
        session.update("nodes", "", node["metadata"]["name"], made, subresource="status")
        session.mutate("nodes", "", node["metadata"]["name"], lambda n: n["spec"].pop("taints", None) and None)


def put_pod(session, name, **kwargs):
    pod = build.pod(name, **kwargs)
    del pod["metadata"]["uid"]
    return session.create("pods", "default", pod)


def get(session, name):
    return session.get("pods", "default", name)


def condition(session, name):
    return next(c for c in get(session, name)["status"]["conditions"] if c["type"] == "PodScheduled")


def run_until_bound(session, scheduler, name):
    """Go on for as long as the scheduler itself says that it waits (a pod's back-off)."""
    deadline = time.monotonic() + 60
    while "nodeName" not in get(session, name)["spec"]:
        assert time.monotonic() < deadline, condition(session, name)
        time.sleep(scheduler.run() or 0.01)


def test_binds_a_pod_and_says_so(session, scheduler):
    put_nodes(session, build.node("a"))
    put_pod(session, "web")
    scheduler.run()
    assert get(session, "web")["spec"]["nodeName"] == "a"
    assert condition(session, "web")["status"] == "True"
    events.flush()
    found = [e.object() for e in session.cache.list("events", "default")]
    assert [(e["reason"], e["message"]) for e in found] == [("Scheduled", "Successfully assigned default/web to a")]


def test_tells_why_a_pod_waits_and_binds_it_when_that_changes(session, scheduler):
    put_nodes(session, build.node("a"), build.node("b"))
    put_pod(session, "web", nodeSelector={"disk": "ssd"})
    scheduler.run()
    found = condition(session, "web")
    assert (found["reason"], found["message"]) == (
        "Unschedulable",
        (
            "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, "
            "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
        ),
    )
    session.mutate("nodes", "", "b", lambda n: n["metadata"]["labels"].update(disk="ssd"))
    run_until_bound(session, scheduler, "web")  # it backs off for its first second
    assert get(session, "web")["spec"]["nodeName"] == "b"


def test_leaves_gated_and_foreign_pods_alone(session, scheduler):
    put_nodes(session, build.node("a"))
    put_pod(session, "gated", schedulingGates=[{"name": "example.com/wait"}])
    put_pod(session, "foreign", schedulerName="other")
    scheduler.run()
    assert "nodeName" not in get(session, "gated")["spec"] and "nodeName" not in get(session, "foreign")["spec"]
    assert condition(session, "gated")["reason"] == "SchedulingGated"
    session.mutate("pods", "default", "gated", lambda p: p["spec"].pop("schedulingGates") and None)
    scheduler.run()
    assert get(session, "gated")["spec"]["nodeName"] == "a"


def test_a_missing_claim_is_named(session, scheduler):
    put_nodes(session, build.node("a"))
    put_pod(session, "web", volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "none"}}])
    scheduler.run()
    assert condition(session, "web")["message"] == (
        '0/1 nodes are available: persistentvolumeclaim "none" not found. not found'
    )


def test_a_more_important_pod_takes_the_place_of_a_lesser_one(session, scheduler):
    put_nodes(session, build.node("a", cpu="1"))
    session.create("priorityclasses.scheduling.k8s.io", "", {"metadata": {"name": "high"}, "value": 100})
    put_pod(session, "small", requests={"cpu": "600m"})
    scheduler.run()
    put_pod(session, "large", requests={"cpu": "800m"}, priorityClassName="high")
    scheduler.run()
    victim = get(session, "small")
    assert victim is None or victim["metadata"]["deletionTimestamp"]
    assert get(session, "large")["status"]["nominatedNodeName"] == "a"
    session.delete("pods", "default", "small", {"gracePeriodSeconds": 0}) if victim else None
    put_pod(session, "late", requests={"cpu": "300m"})  # may not take the room that was made
    run_until_bound(session, scheduler, "large")
    assert get(session, "large")["spec"]["nodeName"] == "a"
    assert "nodeName" not in get(session, "late")["spec"]


def test_a_new_scheduler_takes_up_what_is_left(session, scheduler, cache):
    put_nodes(session, build.node("a", pods="2"))
    for name in ("one", "two", "three"):
        put_pod(session, name)
    scheduler.run()
    scheduler.close()
    successor = Scheduler(session, cache, seed=2)
    assert len(successor.state.table.pods) == 0
    successor.run()
    assert sum(successor.state.table.used.of("pods", slice(0, 1))) == 2
    waiting = [name for name in ("one", "two", "three") if "nodeName" not in get(session, name)["spec"]]
    assert len(waiting) == 1
    assert condition(session, waiting[0])["message"].startswith("0/1 nodes are available: 1 Too many pods.")


def test_a_pod_deleted_in_flight_breaks_nothing(session, scheduler, monkeypatch):
    put_nodes(session, build.node("a"))
    put_pod(session, "gone")
    put_pod(session, "stays")
    bind = session.bind_many

    def delete_first(bindings):
        session.delete("pods", "default", "gone", {"gracePeriodSeconds": 0})
        return bind(bindings)

    monkeypatch.setattr(session, "bind_many", delete_first)
    scheduler.run()
    assert session.cache.get(Key("pods", "default", "gone")) is None
    assert get(session, "stays")["spec"]["nodeName"] == "a"
    scheduler.run()
    assert sum(scheduler.state.table.used.of("pods", slice(0, 1))) == 1
