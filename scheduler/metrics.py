"""The scheduler's own metrics, under the names of kube-scheduler."""

from __future__ import annotations

from collections.abc import Callable

from telemetry.counting import Metrics, doubling

METRICS = Metrics()
ATTEMPTS = METRICS.counter(
    "scheduler_schedule_attempts_total", "Number of attempts to schedule pods, by the result.", "result", "profile"
)
DURATION = METRICS.histogram(
    "scheduler_scheduling_attempt_duration_seconds",
    "Scheduling attempt latency in seconds; of pods placed together, each one's share.",
    "result",
    "profile",
    bounds=doubling(0.0001, 18),
)
SLI = METRICS.histogram(
    "scheduler_pod_scheduling_sli_duration_seconds",
    "Latency of a pod from its entry into the queue to its binding.",
    "attempts",
    bounds=doubling(0.01, 20),
)
TRIES = METRICS.histogram(
    "scheduler_pod_scheduling_attempts", "Number of attempts to successfully schedule a pod.", bounds=(1, 2, 4, 8, 16)
)
PENDING = METRICS.gauge("scheduler_pending_pods", "Number of pending pods, by the queue they wait in.", "queue")
PREEMPTIONS = METRICS.counter("scheduler_preemption_attempts_total", "Total preemption attempts in the cluster.")
VICTIMS = METRICS.histogram(
    "scheduler_preemption_victims", "Number of selected preemption victims.", bounds=(1, 2, 4, 8, 16, 32, 64)
)
MOST_ATTEMPTS = 15  # more count as so many: the label must not grow


def follow(sizes: Callable[[], dict[str, int]]) -> None:
    """Show the pending pods of this queue: of the one scheduler of a process."""

    def show() -> None:
        for queue, count in sizes().items():
            PENDING.set(count, queue)

    METRICS.before[:] = [show]


def attempted(profile: str, scheduled: int, pods: int, seconds: float) -> None:
    """Count an attempt at `pods` pods of one class, of which so many were placed, in so many seconds."""
    for result, count in (("scheduled", scheduled), ("unschedulable", pods - scheduled)):
        if count:
            ATTEMPTS.add(result, profile, by=count)
            DURATION.observe(seconds / pods, result, profile, times=count)


def failed(profile: str) -> None:
    """A pod that was placed could not be bound."""
    ATTEMPTS.add("error", profile)


def bound(attempts: int, seconds: float) -> None:
    """A pod was bound so long after it came into the queue."""
    SLI.observe(seconds, str(min(attempts, MOST_ATTEMPTS)))
    TRIES.observe(attempts)
