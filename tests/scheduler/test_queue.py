"""The queue: order, back-off, and what wakes whom."""

from __future__ import annotations

import pytest

from scheduler.queue import STALE_AFTER, SchedulingQueue
from tests.scheduler import build

WAKES = {"Fit": frozenset({"Pod/Delete", "Node/Add"}), "Affinity": frozenset({"Node/Add"})}


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def queue(clock):
    return SchedulingQueue(WAKES, clock)


def names(groups):
    return [pod.name for group in groups for pod in group]


def test_priority_comes_before_age_and_equals_form_one_group(queue):
    for name in ("one", "two"):
        queue.put(build.info(name, labels={"app": "web"}))
    queue.put(build.info("high", priority=10))
    groups = queue.pop(10)
    assert names(groups) == ["high", "one", "two"] and [len(g) for g in groups] == [1, 2]
    assert queue.pop(10) == []


def test_a_refused_pod_wakes_on_a_change_that_helps_after_its_backoff(queue, clock):
    queue.put(build.info("web"))
    pod = queue.pop(1)[0][0]
    queue.refuse(pod, {"Affinity"})
    assert queue.wake({"Pod/Delete"}) == 0 and queue.next_due() is None
    assert queue.wake({"Node/Add"}) == 1 and queue.pop(1) == [] and queue.next_due() == 1.0
    clock.now += 1.0
    assert names(queue.pop(1)) == ["web"]


def test_backoff_doubles_up_to_ten_seconds(queue, clock):
    queue.put(build.info("web"))
    waits = []
    for _ in range(6):
        queue.retry(queue.pop(1)[0][0])
        waits.append(queue.next_due())
        clock.now += waits[-1]
    assert waits == [1, 2, 4, 8, 10, 10]


def test_a_new_status_leaves_a_pod_parked_a_new_spec_does_not(queue):
    queue.put(build.info("web"))
    queue.refuse(queue.pop(1)[0][0], {"Fit"})
    queue.put(build.info("web"))
    assert queue.pop(1) == []
    queue.put(build.info("web", tolerations=[{"operator": "Exists"}]))
    assert names(queue.pop(1)) == ["web"]


def test_gated_pods_wait_for_their_gates(queue):
    queue.put(build.info("web", schedulingGates=[{"name": "g"}]))
    assert queue.pop(1) == [] and queue.sizes()["gated"] == 1
    queue.put(build.info("web"))
    assert names(queue.pop(1)) == ["web"]


def test_nothing_is_forgotten_for_long_and_the_removed_are_gone(queue, clock):
    queue.put(build.info("web"))
    queue.refuse(queue.pop(1)[0][0], {"Fit"})
    clock.now += STALE_AFTER + 1
    assert queue.flush_stale() == 1
    queue.remove(("default", "web"))
    assert queue.pop(1) == [] and len(queue) == 0


def test_a_pod_recreated_under_its_name_starts_anew(queue):
    queue.put(build.info("web", uid="old"))
    old = queue.pop(1)[0][0]
    queue.put(build.info("web", uid="new"))
    queue.refuse(old, {"Fit"})
    assert [pod.uid for group in queue.pop(1) for pod in group] == ["new"]
