"""What the pods of a job say: who is active, who ended how, which indexes are done. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from controllers.job import indexes, policy
from controllers.pods import PodView
from kube import clock
from kube.objects import Json, whole

TRACKING = "batch.kubernetes.io/job-tracking"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"
FIRST_DELAY, LONGEST_DELAY = 10.0, 600.0


@dataclass
class Facts:
    """A job and its pods at one moment."""

    job: Json
    pods: Sequence[PodView]
    now: float

    @property
    def spec(self) -> Json:
        spec: Json = self.job["spec"]
        return spec

    @property
    def status(self) -> Json:
        return self.job.get("status") or {}

    @property
    def indexed(self) -> bool:
        return self.spec.get("completionMode") == "Indexed"

    @property
    def per_index(self) -> bool:
        return self.indexed and self.spec.get("backoffLimitPerIndex") is not None

    @property
    def suspended(self) -> bool:
        return bool(self.spec.get("suspend"))

    @property
    def completions(self) -> int | None:
        return self.spec.get("completions")

    @property
    def waits_for_end(self) -> bool:
        """Whether a pod is replaced only once it has ended, not already when it is being deleted."""
        default = "Failed" if self.spec.get("podFailurePolicy") else "TerminatingOrFailed"
        return bool(self.spec.get("podReplacementPolicy", default) == "Failed")

    @cached_property
    def active(self) -> list[PodView]:
        return [pod for pod in self.pods if pod.active]

    @cached_property
    def terminating(self) -> list[PodView]:
        return [pod for pod in self.pods if pod.terminating and not pod.finished]

    def failed(self, pod: PodView) -> bool:
        if pod.phase == "Failed":
            return True
        return not self.waits_for_end and pod.terminating and pod.phase != "Succeeded"

    @cached_property
    def counted(self) -> set[str]:
        """Uids of pods that are noted in the status already."""
        uncounted = self.status.get("uncountedTerminatedPods") or {}
        return {*(uncounted.get("succeeded") or ()), *(uncounted.get("failed") or ())}

    @cached_property
    def new_succeeded(self) -> list[PodView]:
        return [pod for pod in self.pods if pod.phase == "Succeeded" and self._is_new(pod)]

    @cached_property
    def new_failed(self) -> list[PodView]:
        return [pod for pod in self.pods if self.failed(pod) and self._is_new(pod)]

    def _is_new(self, pod: PodView) -> bool:
        return TRACKING in (pod.metadata.finalizers or ()) and pod.metadata.uid not in self.counted

    @cached_property
    def verdicts(self) -> dict[str, policy.Verdict]:
        """What the failure policy says of each failed pod, by uid."""
        return {pod.metadata.uid: policy.on_failure(self.job, pod) for pod in self.pods if self.failed(pod)}

    def ignored(self, pod: PodView) -> bool:
        return self.verdicts[pod.metadata.uid].action == "Ignore"

    @cached_property
    def succeeded_count(self) -> int:
        if self.indexed:
            return len(self.succeeded_indexes)
        uncounted = self.status.get("uncountedTerminatedPods") or {}
        count: int = self.status.get("succeeded", 0) + len(uncounted.get("succeeded") or ()) + len(self.new_succeeded)
        return count

    @cached_property
    def failed_count(self) -> int:
        uncounted = self.status.get("uncountedTerminatedPods") or {}
        new = sum(not self.ignored(pod) for pod in self.new_failed)
        count: int = self.status.get("failed", 0) + len(uncounted.get("failed") or ()) + new
        return count

    # -- indexes -----------------------------------------------------------------------------------------------------

    @cached_property
    def succeeded_indexes(self) -> set[int]:
        if not self.indexed or self.completions is None:
            return set()
        before = indexes.parse(self.status.get("completedIndexes", ""), self.completions)
        new = {index_of(pod) for pod in self.pods if pod.phase == "Succeeded"}
        return before | {index for index in new if 0 <= index < (self.completions or 0)}

    @cached_property
    def failed_indexes(self) -> set[int]:
        if not self.per_index or self.completions is None:
            return set()
        before = indexes.parse(self.status.get("failedIndexes", ""), self.completions)
        limit = self.spec["backoffLimitPerIndex"]
        forced = {
            index_of(pod)
            for pod in self.pods
            if self.failed(pod) and self.verdicts[pod.metadata.uid].action == "FailIndex"
        }
        new = {index for index, failures in self.index_failures.items() if failures > limit or index in forced}
        return (before | new) - self.succeeded_indexes

    @cached_property
    def last_failed(self) -> dict[int, PodView]:
        """The newest failed pod of each index (the one with the highest failure count)."""
        found: dict[int, PodView] = {}
        for pod in self.pods:
            index = index_of(pod)
            if index >= 0 and self.failed(pod):
                held = found.get(index)
                if held is None or _failures_at_birth(pod) >= _failures_at_birth(held):
                    found[index] = pod
        return found

    @cached_property
    def index_failures(self) -> dict[int, int]:
        """Failures in a row that count, of each index with one."""
        return {
            index: _failures_at_birth(pod) + (0 if self.ignored(pod) else 1) for index, pod in self.last_failed.items()
        }

    # -- back-off ----------------------------------------------------------------------------------------------------

    def delay(self, index: int | None = None) -> float:
        """Seconds that the next pod (of an index) has to wait after failures in a row."""
        if index is not None:
            last = self.last_failed.get(index)
            return self._left(self.index_failures.get(index, 0), finished_at(last)) if last else 0.0
        ends = sorted(
            (finished_at(pod), pod.phase == "Succeeded") for pod in self.pods if pod.finished or self.failed(pod)
        )
        failures, last_end = 0, 0.0
        for at, good in ends:
            failures, last_end = (0, 0.0) if good else (failures + 1, at)
        return self._left(failures, last_end)

    def _left(self, failures: int, last: float) -> float:
        if failures == 0:
            return 0.0
        wait: float = min(FIRST_DELAY * 2 ** min(failures - 1, 10), LONGEST_DELAY)
        return max(last + wait - self.now, 0.0)


def index_of(pod: PodView) -> int:
    """The completion index of a pod, -1 without."""
    text = pod.metadata.annotations.get(indexes.INDEX, "")
    found = whole(text)
    return -1 if found is None else found


def _failures_at_birth(pod: PodView) -> int:
    text = pod.metadata.annotations.get(FAILURES, "0")
    return whole(text) or 0


def finished_at(pod: PodView) -> float:
    """When a pod ended, as far as it tells."""
    ends = [
        status.state.terminated.finishedAt
        for status in pod.status.containerStatuses or ()
        if status.state and status.state.terminated and status.state.terminated.finishedAt
    ]
    if ends:
        return clock.parse(max(ends))
    if pod.terminating:
        return clock.parse(pod.metadata.deletionTimestamp or "")
    ready = pod.condition("Ready")
    stamp = (ready.lastTransitionTime if ready else None) or pod.metadata.creationTimestamp
    return clock.parse(stamp) if stamp else 0.0
