from __future__ import annotations

import time
from typing import Any

from dashboard.explain import exit_meaning, explain_node, explain_pod
from tests.dashboard import world

FIELD = "spec.containers{tool}"


def pod_with(status: dict[str, Any], **meta: Any) -> dict[str, Any]:
    pod = world.pod("a", "default", status=status)
    pod["metadata"].update(meta)
    return pod


def explain(pod: dict[str, Any], *events: dict[str, Any]) -> list[dict[str, Any]]:
    return explain_pod(pod, list(events), time.time())


def test_a_healthy_pod_needs_no_explanation() -> None:
    assert explain(pod_with(world.running("tool", 100))) == []


def test_a_crash_loop_names_the_exit_code_and_links_the_log_before() -> None:
    pod = pod_with(world.crashing("tool"))
    backoff = world.event(pod, "e1", "BackOff", "Back-off restarting", "Warning", field=FIELD)
    loop, ended = explain(pod, backoff)
    assert "CrashLoopBackOff" in loop["title"]
    assert loop["evidence"][0]["name"] == "e1"
    assert ended["title"] == "Container tool last ended with exit code 1"
    at = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["finishedAt"]
    assert ended["at"] == at
    assert ended["evidence"] == [
        {"kind": "log", "container": "tool", "previous": True},
        {"kind": "lines", "container": "tool", "at": at},
        {"kind": "charts", "at": at},
    ]


def test_out_of_memory_is_said_in_words() -> None:
    status = world.crashing("tool")
    status["containerStatuses"][0]["lastState"]["terminated"].update(reason="OOMKilled", exitCode=137)
    assert "out of memory" in explain(pod_with(status))[1]["title"]


def test_a_kill_by_the_liveness_probe_shows_the_probe_message() -> None:
    status = world.crashing("tool")
    status["containerStatuses"][0]["lastState"]["terminated"].update(exitCode=137, reason="Error")
    pod = pod_with(status)
    probe = world.event(pod, "probe", "Unhealthy", "Liveness probe failed: 500", "Warning", field=FIELD)
    killing = world.event(
        pod, "kill", "Killing", "Container tool failed liveness probe, will be restarted", field=FIELD
    )
    ended = explain(pod, probe, killing)[1]
    assert [e["name"] for e in ended["evidence"] if e["kind"] == "event"] == ["probe", "kill"]
    assert ended["detail"].startswith("Container tool failed liveness probe, will be restarted.")


def test_why_it_cannot_be_placed() -> None:
    found = explain(pod_with(world.unschedulable()))
    assert found[0]["title"] == "No node can take this pod"
    assert "Insufficient cpu" in found[0]["detail"]


def test_unready_with_the_probe_event_of_that_container_only() -> None:
    status = world.running("tool", 100)
    status["containerStatuses"][0]["ready"] = False
    pod = pod_with(status)
    other = world.event(pod, "other", "Unhealthy", "of another", "Warning", field="spec.containers{other}")
    mine = world.event(pod, "mine", "Unhealthy", "Readiness probe failed: 503", "Warning", field=FIELD)
    assert explain(pod, other, mine)[0]["detail"] == "Readiness probe failed: 503"


def test_a_deletion_that_hangs_names_the_finalizers() -> None:
    pod = pod_with(world.running("tool", 100), deletionTimestamp=world.ago(600), finalizers=["example.com/hold"])
    found = explain(pod)
    assert found[0]["title"] == "It should have been gone 10m ago"
    assert "example.com/hold" in found[0]["detail"]


def test_a_pod_on_a_node_that_is_not_ready_fails_for_that() -> None:
    pod, node = pod_with(world.running("tool", 100)), world.node("harbor-3", ready=False)
    [found] = explain_pod(pod, [], time.time(), node)
    assert found["title"] == "Its node harbor-3 is not ready"
    assert found["detail"].startswith("Kubelet stopped posting node status.")
    assert (found["at"], found["evidence"][0]["name"]) == (
        node["status"]["conditions"][0]["lastTransitionTime"],
        "harbor-3",
    )
    assert explain_pod(pod, [], time.time(), world.node("harbor-1")) == []
    assert explain_pod(pod_with({"phase": "Succeeded"}), [], time.time(), node) == []


def test_what_ails_a_node() -> None:
    assert explain_node(world.node("harbor-1")) == []
    node = world.node("harbor-3", ready=False)
    since = world.ago(50)
    node["status"]["conditions"] += [
        {"type": "DiskPressure", "status": "True", "message": "no room", "lastTransitionTime": since},
        {"type": "PIDPressure", "status": "False"},
        {"type": "NetworkUnavailable", "status": "Unknown"},
    ]
    node["spec"]["unschedulable"] = True
    gone, disk, cordoned = explain_node(node)
    assert (gone["title"], gone["detail"]) == ("The node has not been heard of", "Kubelet stopped posting node status.")
    assert (disk["title"], disk["detail"], disk["at"]) == ("The disk is short", "No room.", since)
    assert {"kind": "charts", "at": since} in disk["evidence"]
    assert "no new pods" in cordoned["title"]


def test_exit_codes() -> None:
    assert "not found" in exit_meaning(127)
    assert exit_meaning(134) == "it was ended by signal SIGABRT"
    assert exit_meaning(42) == "the program chose this exit code"
