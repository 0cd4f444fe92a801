"""Counting every finished pod exactly once, whatever dies when.

A pod of a job keeps a finalizer, so that it cannot vanish uncounted.
1. A finished pod's uid is noted in `status.uncountedTerminatedPods`;
2. its finalizer is taken away;
3. its uid moves from the note to the counter.
Whoever repeats any step after a crash comes to the same numbers. Functions here change the status in place; the
controller writes it between the steps.
"""

from __future__ import annotations

from collections.abc import Iterable

from controllers.job import indexes
from controllers.job.facts import TRACKING, Facts, index_of
from controllers.podcontrol import BURST
from controllers.pods import PodView
from kube.objects import Json


def settle(status: Json, pods: Iterable[PodView]) -> bool:
    """Step 3: count the noted pods that have lost their finalizer or are gone; True if there were any."""
    tracked = {pod.metadata.uid for pod in pods if TRACKING in (pod.metadata.finalizers or ())}
    noted, changed = status.setdefault("uncountedTerminatedPods", {}), False
    for name in ("succeeded", "failed"):
        uids = noted.get(name) or []
        left = [uid for uid in uids if uid in tracked]
        if len(left) != len(uids):
            status[name] = status.get(name, 0) + len(uids) - len(left)
            changed = True
        if left:
            noted[name] = left
        else:
            noted.pop(name, None)
    return changed


def note(status: Json, facts: Facts, ending_failed: bool, namespace_ends: bool = False) -> list[PodView]:
    """Step 1: note finished pods; returns those to take the finalizer from.

    The last failed pod of an index stays until its successor carries the failure count on, so that it is not forgotten
    (in a namespace that goes there will be none).
    When the job fails, pods that were stopped by that count as failed, too.
    """
    noted = status.setdefault("uncountedTerminatedPods", {})
    held = set() if namespace_ends else _bearers(facts)
    release: list[PodView] = []
    succeeded: set[int] = set(facts.succeeded_indexes)
    for pod in facts.pods:
        if TRACKING not in (pod.metadata.finalizers or ()) or len(release) >= BURST:
            continue
        failed = facts.failed(pod) or (ending_failed and pod.terminating and pod.phase != "Succeeded")
        if (pod.phase != "Succeeded" and not failed) or pod.metadata.uid in held:
            continue
        release.append(pod)
        if pod.metadata.uid in facts.counted:
            continue
        if pod.phase == "Succeeded":
            if not facts.indexed:
                noted.setdefault("succeeded", []).append(pod.metadata.uid)
        elif pod.metadata.uid not in facts.verdicts or not facts.ignored(pod):
            noted.setdefault("failed", []).append(pod.metadata.uid)
    if facts.indexed:
        status["succeeded"] = len(succeeded)
        if succeeded:
            status["completedIndexes"] = indexes.render(succeeded)
        else:
            status.pop("completedIndexes", None)
        if facts.per_index:
            status["failedIndexes"] = indexes.render(facts.failed_indexes)
    return release


def _bearers(facts: Facts) -> set[str]:
    """Uids of the failed pods that alone know how often their index has failed."""
    if not facts.per_index:
        return set()
    settled = facts.succeeded_indexes | facts.failed_indexes
    carried = {index_of(pod) for pod in facts.active}
    return {
        pod.metadata.uid for index, pod in facts.last_failed.items() if index not in settled and index not in carried
    }
