"""What to do next and what to tell, from a spec and what runs."""

from __future__ import annotations

from typing import Any

import pytest

from kubelet import plan
from kubelet.runtimes.base import ContainerState, PodState
from kubelet.status import Observed, compute
from tests.kubelet.fakeapi import pod


def run(name: str, code: int | None = None, attempt: int = 0, started: float = 100.0) -> ContainerState:
    finished = None if code is None else started + 1
    return ContainerState(name, attempt, f"id-{name}-{attempt}", "host", started, finished, code or 0)


def state(*runs: ContainerState, ready: bool = True, since: float = 0.0) -> PodState:
    return PodState("u", "default", "p", ready, "10.0.0.9", list(runs), since)


def with_policies(pod: dict[str, Any], *containers: dict[str, Any]) -> dict[str, Any]:
    """The pod, its containers with policies of their own."""
    pod["spec"]["containers"] = [{**c, **more} for c, more in zip(pod["spec"]["containers"], containers, strict=True)]
    return pod


def made(*names: str, inits: tuple[Any, ...] = (), **spec: Any) -> dict[str, Any]:
    result = pod("p", *({"name": name} for name in names), **spec)
    result["metadata"].update(uid="u", generation=2)
    if inits:
        result["spec"]["initContainers"] = [{"name": n, "image": "host", **more} for n, more in inits]
    return result


def yes(name: str) -> bool:
    return True


SIDECAR = {"restartPolicy": "Always"}
NEVER = {"restartPolicy": "Never"}
RETRIED = {**NEVER, "restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]}


@pytest.mark.parametrize(
    ("spec", "runs", "start", "stop", "phase"),
    [
        (made("a", "b"), [], ["a", "b"], [], None),
        (made("a", "b"), [run("a"), run("b", 1)], ["b"], [], None),
        (made("a", restartPolicy="Never"), [run("a", 0)], [], [], "Succeeded"),
        (made("a", "b", restartPolicy="Never"), [run("a", 0), run("b")], [], [], None),
        (made("a", "b", restartPolicy="Never"), [run("a", 0), run("b", 2)], [], [], "Failed"),
        (made("a", restartPolicy="OnFailure"), [run("a", 2)], ["a"], [], None),
        (made("a", restartPolicy="OnFailure"), [run("a", 0)], [], [], "Succeeded"),
        (made("a", inits=(("i", {}), ("j", {}))), [], ["i"], [], None),
        (made("a", inits=(("i", {}), ("j", {}))), [run("i")], [], [], None),
        (made("a", inits=(("i", {}), ("j", {}))), [run("i", 0)], ["j"], [], None),
        (made("a", inits=(("i", {}), ("j", {}))), [run("i", 0), run("j", 0)], ["a"], [], None),
        (made("a", inits=(("i", {}),)), [run("i", 3)], ["i"], [], None),
        (made("a", inits=(("i", {}),), restartPolicy="Never"), [run("i", 3)], [], [], "Failed"),
        (made("a", inits=(("i", NEVER),)), [run("i", 3)], [], [], "Failed"),
        (with_policies(made("a", "b"), NEVER, {}), [run("a", 1), run("b", 1)], ["b"], [], None),
        (with_policies(made("a", "b"), NEVER, NEVER), [run("a", 1), run("b", 0)], [], [], "Failed"),
        (with_policies(made("a"), RETRIED), [run("a", 42)], ["a"], [], None),
        (with_policies(made("a"), RETRIED), [run("a", 1)], [], [], "Failed"),
        (made("a", inits=(("s", SIDECAR),)), [run("s")], ["a"], [], None),
        (made("a", inits=(("s", SIDECAR),)), [run("s", 1), run("a")], ["s"], [], None),
        (made("a", inits=(("s", SIDECAR),), restartPolicy="Never"), [run("s"), run("a", 0)], [], ["s"], None),
        (made("a", inits=(("s", SIDECAR),), restartPolicy="Never"), [run("s", 0), run("a", 0)], [], [], "Succeeded"),
    ],
)
def test_next_step(spec: Any, runs: Any, start: list[str], stop: list[str], phase: str | None) -> None:
    found = plan.make(spec, state(*runs), yes)
    assert (found.start, found.stop, found.phase) == (start, stop, phase)


def test_a_sidecar_that_has_not_started_holds_the_others_back() -> None:
    assert plan.make(made("a", inits=(("s", SIDECAR),)), state(run("s")), lambda name: False).start == []


def test_init_containers_run_again_in_a_new_sandbox() -> None:
    spec = made("a", inits=(("i", {}),))
    assert plan.make(spec, state(run("i", 0), run("a", 137), since=200.0), yes).start == ["i"]


def status(spec: Any, *runs: ContainerState, **seen: Any) -> Any:
    names = {r.name: True for r in runs if r.running}
    known = {"ready": names, "started": names, **seen}
    return compute(spec, Observed(state(*runs), "1.1.1.1", "process", 1000.0, **known))


def condition(found: Any, kind: str) -> tuple[str, str]:
    entry = next(c for c in found["conditions"] if c["type"] == kind)
    return entry["status"], entry.get("reason", "")


def test_ephemeral_containers_start_once_and_do_not_count() -> None:
    debugged = made("a", restartPolicy="Never")
    debugged["spec"]["ephemeralContainers"] = [{"name": "debugger", "image": "host"}]
    assert plan.make(debugged, state(run("a")), yes).start == ["debugger"]
    assert plan.make(debugged, state(run("a"), run("debugger", 1)), yes).start == []
    ended = plan.make(debugged, state(run("a", 0), run("debugger")), yes)
    assert (ended.start, ended.phase) == ([], "Succeeded")
    status = compute(
        debugged, Observed(state(run("a"), run("debugger")), "10.0.0.1", "process", 200.0, ready={"a": True})
    )
    entry = status["ephemeralContainerStatuses"][0]
    assert (entry["name"], entry["ready"], "running" in entry["state"]) == ("debugger", False, True)
    assert [c["name"] for c in status["containerStatuses"]] == ["a"]
    # What the API knows to have run is not started again by a node that lost its records.
    debugged["status"] = {
        "ephemeralContainerStatuses": [{"name": "debugger", "state": {"terminated": {"exitCode": 0}}}]
    }
    assert plan.make(debugged, state(run("a")), yes).start == []


def test_a_running_pod() -> None:
    found = status(made("a", "b"), run("a"), run("b"))
    assert (found["phase"], found["podIP"], found["observedGeneration"]) == ("Running", "10.0.0.9", 2)
    assert [c["type"] for c in found["conditions"]] == [
        "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]  # fmt: skip
    assert all(c["status"] == "True" for c in found["conditions"])
    container = found["containerStatuses"][0]
    assert container["state"] == {"running": {"startedAt": "1970-01-01T00:01:40Z"}}
    assert (container["ready"], container["started"], container["containerID"]) == (True, True, "process://id-a-0")


def test_an_unready_container_is_named() -> None:
    found = status(made("a", "b"), run("a"), run("b"), ready={"a": True})
    assert found["phase"] == "Running"
    ready = next(c for c in found["conditions"] if c["type"] == "Ready")
    assert (ready["reason"], ready["message"]) == ("ContainersNotReady", "containers with unready status: [b]")


def test_a_crash_loop_shows_the_last_end() -> None:
    waiting = {"a": ("CrashLoopBackOff", "back-off 10s")}
    found = status(made("a"), run("a", 1, 0), run("a", 2, 1, 200.0), waiting=waiting)
    container = found["containerStatuses"][0]
    assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert container["lastState"]["terminated"]["exitCode"] == 2
    assert (container["restartCount"], found["phase"]) == (1, "Running")


def test_a_pod_that_waits_for_its_init_container() -> None:
    found = status(made("a", inits=(("i", {}),)), run("i"))
    assert found["phase"] == "Pending"
    assert found["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert condition(found, "Initialized") == ("False", "ContainersNotInitialized")


def test_finished_pods() -> None:
    done = status(made("a", restartPolicy="Never"), run("a", 0), phase="Succeeded", stopping=True)
    assert condition(done, "Ready") == ("False", "PodCompleted")
    assert condition(done, "Initialized") == ("True", "PodCompleted")
    failed = status(made("a", restartPolicy="Never"), run("a", 1), phase="Failed", stopping=True)
    assert (failed["phase"], condition(failed, "Ready")) == ("Failed", ("False", "PodFailed"))


@pytest.mark.parametrize(("code", "phase"), [(42, "Running"), (1, "Failed")])
def test_a_rule_of_a_container_decides_the_phase(code: int, phase: str) -> None:
    spec = with_policies(made("a", "b", restartPolicy="Never"), RETRIED, {})
    assert status(spec, run("a", code), run("b", 0))["phase"] == phase


def test_a_sidecar_that_crashes_first_does_not_fail_the_pod() -> None:
    assert status(made("a", inits=(("s", SIDECAR),), restartPolicy="Never"), run("s", 1))["phase"] == "Pending"


def test_transition_times_stay_while_nothing_changes() -> None:
    spec = made("a")
    spec["status"] = status(spec, run("a"))
    later = compute(
        spec, Observed(state(run("a")), "1.1.1.1", "process", 9999.0, ready={"a": True}, started={"a": True})
    )
    assert later == spec["status"]


def test_readiness_gates_and_foreign_conditions() -> None:
    spec = made("a", readinessGates=[{"conditionType": "x/y"}])
    foreign = {"type": "x/y", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    spec["status"]["conditions"] = [foreign]
    found = status(spec, run("a"))
    assert condition(found, "Ready") == ("False", "ReadinessGatesNotReady")
    assert condition(found, "ContainersReady") == ("True", "")
    assert foreign in found["conditions"]
