"""Jobs: counting, limits, policies, indexes, suspension."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.admission import namespace_lifecycle
from cluster.cache import Cache
from controllers.garbagecollector import GarbageCollector
from controllers.job import JobController, indexes
from controllers.job.facts import TRACKING
from kube.objects import Json
from tests.controllers.world import World, condition, failing, pending, ready, succeeded, template


@pytest.fixture
def world(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(cache, [JobController()], monkeypatch)
    made.behave = succeeded
    return made


def job(world: World, **spec: Any) -> Json:
    pod = template("w:1", app="w")
    pod["spec"]["restartPolicy"] = spec.pop("restartPolicy", "Never")
    return world.create(
        "jobs.batch",
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "work"}, "spec": {"template": pod, **spec}},
    )


def status(world: World) -> Json:
    return world.get("jobs.batch", "work")["status"]


def conditions(world: World) -> dict[str, str]:
    return {c["type"]: c["reason"] for c in status(world).get("conditions", ()) if c["status"] == "True"}


def pass_time(world: World, seconds: float) -> None:
    world.offset += seconds
    world.settle()


def test_a_job_completes_and_frees_its_pods(world: World) -> None:
    job(world, completions=5, parallelism=2)
    world.settle()
    found = status(world)
    assert found["succeeded"] == 5 and found["uncountedTerminatedPods"] == {} and found["ready"] == 0
    assert "active" not in found and "failed" not in found
    assert conditions(world) == {"SuccessCriteriaMet": "CompletionsReached", "Complete": "CompletionsReached"}
    assert condition(found, "Complete")["message"] == "Reached expected number of succeeded pods"
    assert found["completionTime"] >= found["startTime"]
    assert len(world.pods()) == 5
    assert not any(TRACKING in p["metadata"].get("finalizers", ()) for p in world.list("pods"))
    assert world.reasons("work") == ["SuccessfulCreate"] * 5 + ["Completed"]


def test_parallelism_bounds_what_runs(world: World) -> None:
    world.behave = ready
    job(world, completions=5, parallelism=2)
    world.settle()
    assert (status(world)["active"], status(world)["ready"]) == (2, 2)
    world.edit("jobs.batch", "work", lambda j: j["spec"].update(parallelism=1))
    world.settle()
    assert status(world)["active"] == 1 and "failed" not in status(world), "surplus pods do not count as failed"


def test_failures_back_off_and_end_at_the_limit(world: World) -> None:
    world.behave = failing(3)
    job(world, backoffLimit=2)
    world.settle()
    assert status(world)["failed"] == 1
    assert 5 < (world.after["default/work"] or 0) <= 10
    pass_time(world, 11)
    assert status(world)["failed"] == 2
    pass_time(world, 11)
    assert status(world)["failed"] == 2, "the second delay is twice the first"
    pass_time(world, 11)
    assert status(world)["failed"] == 3
    assert conditions(world) == {"FailureTarget": "BackoffLimitExceeded", "Failed": "BackoffLimitExceeded"}
    assert world.events[-1][1:] == ("Warning", "BackoffLimitExceeded", "Job has reached the specified backoff limit")


def test_the_deadline_stops_what_runs(world: World) -> None:
    world.behave = ready
    job(world, activeDeadlineSeconds=30)
    world.settle()
    assert 0 < (world.after["default/work"] or 0) <= 30
    pass_time(world, 31)
    assert conditions(world) == {"FailureTarget": "DeadlineExceeded", "Failed": "DeadlineExceeded"}
    assert status(world)["failed"] == 1 and world.pods() == []


def test_a_work_queue_ends_with_its_first_success(world: World) -> None:
    world.behave = ready
    job(world, parallelism=3)
    world.settle()
    assert status(world)["active"] == 3
    world.behave = succeeded
    world.settle()
    assert "Complete" in conditions(world)


def test_an_indexed_job_gives_every_index_once(world: World) -> None:
    job(world, completions=4, parallelism=4, completionMode="Indexed")
    world.step()
    pods = world.list("pods")
    assert sorted(p["metadata"]["annotations"][indexes.INDEX] for p in pods) == ["0", "1", "2", "3"]
    first = next(p for p in pods if p["metadata"]["labels"][indexes.INDEX] == "0")
    assert first["spec"]["hostname"] == "work-0" and first["metadata"]["name"].startswith("work-0-")
    (variable,) = first["spec"]["containers"][0]["env"]
    assert variable["name"] == "JOB_COMPLETION_INDEX"
    world.settle()
    assert status(world)["completedIndexes"] == "0-3" and status(world)["succeeded"] == 4
    assert "Complete" in conditions(world)


def test_an_index_may_fail_by_itself(world: World) -> None:
    def behave(pod: Json) -> Json:
        return failing(1)(pod) if pod["metadata"]["labels"][indexes.INDEX] == "1" else succeeded(pod)

    world.behave = behave
    job(world, completions=3, parallelism=3, completionMode="Indexed", backoffLimitPerIndex=1)
    world.settle()
    assert status(world)["completedIndexes"] == "0,2"
    pass_time(world, 11)
    assert status(world)["failedIndexes"] == "1" and status(world)["failed"] == 2
    assert conditions(world) == {"FailureTarget": "FailedIndexes", "Failed": "FailedIndexes"}


def test_a_success_policy_ends_the_job_early(world: World) -> None:
    world.behave = lambda pod: succeeded(pod) if pod["metadata"]["labels"][indexes.INDEX] == "0" else ready(pod)
    job(
        world,
        completions=3,
        parallelism=3,
        completionMode="Indexed",
        successPolicy={"rules": [{"succeededIndexes": "0", "succeededCount": 1}]},
    )
    world.settle()
    assert conditions(world) == {"SuccessCriteriaMet": "SuccessPolicy", "Complete": "SuccessPolicy"}
    assert len(world.pods()) == 1


@pytest.mark.parametrize(
    ("action", "code", "reason"),
    [
        ("FailJob", 42, "PodFailurePolicy"),
        ("Count", 42, None),
        ("FailJob", 1, None),
    ],
)
def test_a_failure_policy_reads_exit_codes(world: World, action: str, code: int, reason: str | None) -> None:
    world.behave = failing(code)
    rule = {"action": action, "onExitCodes": {"operator": "In", "values": [42]}}
    job(world, podFailurePolicy={"rules": [rule]})
    world.settle()
    assert status(world)["failed"] == 1
    assert conditions(world).get("Failed") == reason
    if reason:
        message = condition(status(world), "Failed")["message"]
        name = world.pods()[0]
        assert (
            message
            == f"Container main for pod default/{name} failed with exit code 42 matching FailJob rule at index 0"
        )


def test_disruptions_can_be_ignored(world: World) -> None:
    def disrupted(pod: Json) -> Json:
        return {"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "Evicted"}]}

    world.behave = disrupted
    rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    job(world, backoffLimit=0, podFailurePolicy={"rules": [rule]})
    world.settle()
    assert "failed" not in status(world) and conditions(world) == {}
    world.behave = succeeded
    pass_time(world, 11)
    assert "Complete" in conditions(world)


def test_a_suspended_job_runs_nothing(world: World) -> None:
    world.behave = ready
    job(world, suspend=True)
    world.settle()
    assert world.pods() == [] and conditions(world) == {"Suspended": "JobSuspended"}
    world.edit("jobs.batch", "work", lambda j: j["spec"].update(suspend=False))
    world.settle()
    assert len(world.pods()) == 1 and status(world)["startTime"]
    assert condition(status(world), "Suspended")["reason"] == "JobResumed"
    world.edit("jobs.batch", "work", lambda j: j["spec"].update(suspend=True))
    world.settle()
    assert world.pods() == [] and "failed" not in status(world)
    assert world.reasons("work") == ["Suspended", "SuccessfulCreate", "Resumed", "SuccessfulDelete", "Suspended"]


def test_a_finished_job_goes_when_its_time_is_over(world: World) -> None:
    job(world, ttlSecondsAfterFinished=60)
    world.settle()
    assert 0 < (world.after["default/work"] or 0) <= 60
    world.offset = 61
    world.step()
    world.cache.refresh()
    (left,) = world.list("jobs.batch")
    assert left["metadata"]["finalizers"] == ["foregroundDeletion"]


def test_pods_of_a_job_that_is_gone_lose_their_finalizer(world: World) -> None:
    world.behave = ready
    job(world)
    world.settle()
    world.delete("jobs.batch", "work", propagationPolicy="Background")
    world.settle()
    (pod,) = world.list("pods")
    assert "finalizers" not in pod["metadata"]


@pytest.mark.parametrize("released", ["by its labels", "with its job orphaned"])
def test_a_pod_that_is_released_loses_the_finalizer(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, released: str
) -> None:
    world = World(cache, [JobController(), GarbageCollector()], monkeypatch)
    job(world)
    world.settle()
    (name,) = world.pods()
    if released == "by its labels":
        world.edit("pods", name, lambda pod: pod["metadata"].update(labels={"app": "other"}))
    else:
        world.delete("jobs.batch", "work", propagationPolicy="Orphan")
    world.settle()
    left = world.get("pods", name)["metadata"]
    assert "finalizers" not in left and "ownerReferences" not in left


def test_a_pod_that_is_adopted_is_counted(world: World) -> None:
    world.behave = ready
    labels = job(world, manualSelector=True, selector={"matchLabels": {"app": "w"}})["spec"]["selector"]["matchLabels"]
    world.step()
    (name,) = world.pods()
    world.edit("pods", name, lambda pod: pod["metadata"].update(labels={}, finalizers=[]))
    world.settle()
    world.delete("pods", next(other for other in world.pods() if other != name))
    world.edit("pods", name, lambda pod: pod["metadata"].update(labels=labels))
    world.settle()
    assert world.get("pods", name)["metadata"]["finalizers"] == [TRACKING]


def test_a_running_job_deleted_in_the_foreground_lets_its_pods_go(world: World) -> None:
    world.behave = ready
    job(world)
    world.settle()
    world.delete("jobs.batch", "work", propagationPolicy="Foreground")
    world.delete("pods", world.pods()[0])
    world.settle()
    assert world.pods() == []


def test_in_a_namespace_that_goes_no_pod_waits_for_a_successor(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace_lifecycle, "PERMANENT", ())
    world.behave = failing(1)
    job(world, completions=2, parallelism=2, completionMode="Indexed", backoffLimitPerIndex=3)
    world.step()
    world.session.delete("namespaces", "", "default")
    world.kubelets()
    for name in world.pods():
        world.delete("pods", name)
    world.settle()
    assert world.pods() == []


def test_a_pod_deleted_by_somebody_counts_as_failed(world: World) -> None:
    world.behave = ready
    job(world)
    world.settle()
    world.delete("pods", world.pods()[0])
    world.settle()
    assert status(world)["failed"] == 1


def test_killed_between_any_two_writes_the_count_stays_right(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write fails once, after or instead of being done; the counts come out the same."""
    job(world, completions=6, parallelism=3)
    calls, dice = [0], [True, False, True, True, False]

    class Killed(Exception):
        pass

    def shaky(method: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            calls[0] += 1
            die = dice[calls[0] % len(dice)]
            if calls[0] % 2 and not die:
                raise Killed
            result = method(*args, **options)
            if calls[0] % 2 and die and calls[0] < 60:
                raise Killed
            return result

        return call

    for name in ("update", "update_many", "create_many"):
        method = getattr(world.session, name)
        monkeypatch.setattr(world.ctx.session, name, shaky(method))
    for _ in range(80):
        world.step()
        try:
            world.kubelets()
        except Killed:
            continue
    found = status(world)
    assert found["succeeded"] == 6 and found["uncountedTerminatedPods"] == {} and "Complete" in conditions(world)


def test_pending_pods_wait(world: World) -> None:
    world.behave = pending
    job(world, completions=2, parallelism=2)
    world.settle()
    assert status(world)["active"] == 2 and status(world)["ready"] == 0 and conditions(world) == {}


@given(st.sets(st.integers(0, 40)))
def test_index_texts_can_be_read_back(values: set[int]) -> None:
    assert indexes.parse(indexes.render(values), 41) == values


def test_index_texts_are_short() -> None:
    assert indexes.render({0, 1, 2, 5, 7, 8}) == "0-2,5,7,8"
    assert indexes.parse("0-9", 4) == {0, 1, 2, 3}
