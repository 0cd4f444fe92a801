"""CronJobs: due times, policies, history."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cluster.cache import Cache
from controllers import cronjob
from controllers.cronjob import CronJobController
from controllers.job import JobController
from kube import clock
from kube.objects import Json
from tests.controllers.world import World, failing, ready, succeeded, template


@pytest.fixture
def world(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(cache, [CronJobController(), JobController()], monkeypatch)
    made.offset = 60 - time.time() % 60 + 1  # just after a full minute
    made.behave = succeeded
    return made


def cron_job(world: World, schedule: str = "* * * * *", **spec: Any) -> Json:
    pod = template("w:1", app="w")
    pod["spec"]["restartPolicy"] = "Never"
    job = {"metadata": {"labels": {"a": "b"}}, "spec": {"template": pod, **spec.pop("job", {})}}
    return world.create(
        "cronjobs.batch",
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "tick"},
            "spec": {"schedule": schedule, "jobTemplate": job, **spec},
        },
    )


def minutes(world: World, count: int) -> None:
    for _ in range(count):
        world.offset += 60
        world.settle()


def jobs(world: World) -> list[str]:
    return [job["metadata"]["name"] for job in world.list("jobs.batch")]


def test_a_job_at_every_due_time_and_none_before(world: World) -> None:
    cron_job(world)
    world.settle()
    assert jobs(world) == []
    assert 50 < (world.after["default/tick"] or 0) <= 60.1
    minutes(world, 1)
    (name,) = jobs(world)
    assert name == f"tick-{int(world.now()) // 60}"
    job = world.get("jobs.batch", name)
    assert job["metadata"]["labels"]["a"] == "b"
    assert job["metadata"]["annotations"][cronjob.SCHEDULED_AT] == clock.stamp(int(world.now()) // 60 * 60)
    status = world.get("cronjobs.batch", "tick")["status"]
    assert status["lastScheduleTime"] == clock.stamp(int(world.now()) // 60 * 60)
    assert status["lastSuccessfulTime"] and "active" not in status
    assert world.reasons("tick") == ["SuccessfulCreate", "SawCompletedJob"]


def test_the_history_keeps_to_its_limits(world: World) -> None:
    cron_job(world, successfulJobsHistoryLimit=2)
    world.settle()
    minutes(world, 4)
    now = int(world.now()) // 60
    assert jobs(world) == [f"tick-{now - 1}", f"tick-{now}"]
    world.behave = failing(1)
    world.edit("cronjobs.batch", "tick", lambda c: c["spec"]["jobTemplate"]["spec"].update(backoffLimit=0))
    minutes(world, 3)
    failed = [j for j in world.list("jobs.batch") if cronjob.finished(j) == "Failed"]
    assert len(failed) == 1


@pytest.mark.parametrize(("policy", "running"), [("Allow", 3), ("Forbid", 1), ("Replace", 1)])
def test_concurrency(world: World, policy: str, running: int) -> None:
    world.behave = ready
    cron_job(world, concurrencyPolicy=policy)
    world.settle()
    minutes(world, 3)
    assert len(jobs(world)) == running
    active = world.get("cronjobs.batch", "tick")["status"]["active"]
    assert [about["name"] for about in active] == jobs(world)
    newest = f"tick-{int(world.now()) // 60}"
    assert (newest in jobs(world)) is (policy != "Forbid")


def test_suspension_and_missed_times(world: World) -> None:
    cron_job(world, suspend=True)
    world.settle()
    minutes(world, 2)
    assert jobs(world) == []
    world.edit("cronjobs.batch", "tick", lambda c: c["spec"].update(suspend=False))
    world.settle()
    assert len(jobs(world)) == 1, "of all missed times only the last is made up for"


def test_a_deadline_lets_missed_times_go(world: World) -> None:
    cron_job(world, "0 * * * *", startingDeadlineSeconds=10)
    world.settle()
    world.offset += 3600 + 1800 - world.now() % 3600
    world.settle()
    assert jobs(world) == []


def due(schedule: str, last: str, now: str, **spec: Any) -> cronjob.Due:
    made = {"spec": {"schedule": schedule, **spec}, "status": {"lastScheduleTime": last}, "metadata": {}}
    return cronjob.missed(made, clock.parse(now))


def test_due_times_in_a_time_zone() -> None:
    found = due("0 3 * * *", "2026-03-28T02:00:00Z", "2026-03-29T00:30:00Z", timeZone="Europe/Berlin")
    assert found.last is None
    assert found.next is not None and clock.stamp(found.next) == "2026-03-29T01:00:00Z", "summer time has begun"


def test_after_a_long_sleep_the_last_due_time_is_found() -> None:
    found = due("*/5 * * * *", "2020-01-01T00:00:00Z", "2026-01-01T00:03:00Z")
    assert found.many
    assert found.last is not None and clock.stamp(found.last) == "2026-01-01T00:00:00Z"
    assert found.next is not None and clock.stamp(found.next) == "2026-01-01T00:05:00Z"
