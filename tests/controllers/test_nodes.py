"""Nodes: lost ones, their taints and pods; ranges of addresses; pods that nobody else removes."""

from __future__ import annotations

import pytest

from controllers.nodeipam import NodeIPAMController, next_free
from controllers.nodelifecycle import NodeLifecycleController
from controllers.nodetaints import evict_after, wanted_taints
from controllers.podgc import QUARANTINE, SWEEP, PodGCController
from kube import clock
from tests.controllers.drive import Drive

READY = {
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "ok",
            "lastHeartbeatTime": "2026-01-01T00:00:00Z",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ]
}


def taints(drive, name="n"):
    return sorted(
        (t["key"].split("/")[-1], t["effect"]) for t in drive.get("nodes", name, "")["spec"].get("taints") or []
    )


@pytest.fixture
def drive(cache, monkeypatch):
    made = Drive(cache, monkeypatch, NodeLifecycleController())
    made.namespace()
    made.namespace("kube-node-lease")
    made.create("nodes", "n", {"status": dict(READY)}, "")
    renew(made)
    made.run()
    return made


def renew(drive):
    spec = {"holderIdentity": "n", "renewTime": clock.stamp(drive.now())[:-1] + ".000000Z"}
    if drive.get("leases.coordination.k8s.io", "n", "kube-node-lease") is None:
        drive.create("leases.coordination.k8s.io", "n", {"spec": spec}, "kube-node-lease")
    else:
        drive.session.mutate("leases.coordination.k8s.io", "kube-node-lease", "n", lambda o: o["spec"].update(spec))


def test_a_ready_node_loses_the_taint_it_came_with(drive):
    assert taints(drive) == [] and 30 < drive.after["n"] <= 40.1


def test_a_node_that_falls_silent_becomes_unknown_and_its_pods_unready(drive):
    drive.pod("web", node="n", ip="10.0.0.1")
    drive.offset = 30
    drive.again("n")
    assert taints(drive) == []
    drive.offset = 45
    drive.again("n")
    ready = next(c for c in drive.get("nodes", "n", "")["status"]["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
    assert taints(drive) == [("unreachable", "NoExecute"), ("unreachable", "NoSchedule")]
    pod = drive.get("pods", "web")
    assert next(c for c in pod["status"]["conditions"] if c["type"] == "Ready")["status"] == "False"
    assert ("n", "NodeNotReady", "Node n status is now: NodeNotReady") in drive.events


def test_pods_are_evicted_when_their_toleration_runs_out_and_not_before(drive):
    drive.pod("patient", node="n", ip="10.0.0.1")  # tolerates for 300 s by default
    everything = {"tolerations": [{"operator": "Exists"}]}
    drive.pod("tough", node="n", ip="10.0.0.2", spec={"containers": [{"name": "a", "image": "a:1"}], **everything})
    drive.offset = 45
    wait = drive.again("n")
    assert 290 < wait <= 301
    drive.offset += 295
    drive.again("n")
    assert not drive.get("pods", "patient")["metadata"].get("deletionTimestamp")
    drive.offset += 10
    drive.again("n")
    assert drive.get("pods", "patient")["metadata"]["deletionTimestamp"]
    assert not drive.get("pods", "tough")["metadata"].get("deletionTimestamp")


def test_a_node_that_comes_back_is_clean_again(drive):
    drive.offset = 45
    drive.again("n")
    renew(drive)
    drive.session.mutate("nodes", "", "n", lambda o: o.update(status=dict(READY)), "status")
    drive.run()
    assert taints(drive) == []


def test_taints_of_others_stay_and_an_unbearable_one_evicts_at_once():
    node = {"spec": {"taints": [{"key": "mine", "effect": "NoExecute"}], "unschedulable": True}, "status": READY}
    assert [t["key"] for t in wanted_taints(node, 0.0)] == ["mine", "node.kubernetes.io/unschedulable"]
    assert evict_after({"spec": {}}, node["spec"]["taints"], 0.0) == 0.0
    assert evict_after({"spec": {"tolerations": [{"operator": "Exists"}]}}, node["spec"]["taints"], 0.0) is None


def test_every_node_gets_a_range_of_its_own(cache, monkeypatch):
    drive = Drive(cache, monkeypatch, NodeIPAMController())
    for name in ("a", "b"):
        drive.create("nodes", name, None, "")
    drive.create("nodes", "c", {"spec": {"podCIDR": "10.244.7.0/24", "podCIDRs": ["10.244.7.0/24"]}}, "")
    drive.run()
    found = [drive.get("nodes", name, "")["spec"]["podCIDR"] for name in "abc"]
    assert sorted(found) == ["10.244.0.0/24", "10.244.1.0/24", "10.244.7.0/24"]
    assert next_free("10.0.0.0/23", {"10.0.0.0/24", "10.0.1.0/24"}) is None


def test_pods_of_a_node_that_is_gone_are_removed_after_a_while(cache, monkeypatch):
    drive = Drive(cache, monkeypatch, PodGCController())
    drive.namespace()
    drive.pod("lost", node="gone", ip="10.0.0.1")
    drive.run()
    assert drive.names("pods") == ["lost"]
    drive.offset = QUARANTINE + 1
    drive.again("node:gone")
    assert drive.names("pods") == []


def test_only_the_newest_finished_pods_are_kept(cache, monkeypatch):
    monkeypatch.setenv("BINNACLE_TERMINATED_PODS", "1")
    drive = Drive(cache, monkeypatch, PodGCController())
    drive.namespace()
    drive.create("nodes", "n", None, "")
    for name in ("a", "b", "c"):
        drive.pod(name, node="n")
        drive.session.mutate("pods", "default", name, lambda o: o["status"].update(phase="Succeeded"), "status")
    drive.offset = 60
    drive.again(SWEEP)
    assert len(drive.names("pods")) == 1
