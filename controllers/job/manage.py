"""Which pods of a job that goes on to create and to delete now. Pure."""

from __future__ import annotations

import copy
from typing import NamedTuple

from controllers import ranking
from controllers.job import indexes
from controllers.job.facts import FAILURES, IGNORED_FAILURES, TRACKING, Facts, index_of
from controllers.podcontrol import BURST, from_template
from controllers.pods import PodView
from kube.objects import Json
from kube.pods import podutil

_INDEX_ENV = {
    "name": "JOB_COMPLETION_INDEX",
    "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{indexes.INDEX}']"}},
}


class Moves(NamedTuple):
    """Pods to create and to delete, and seconds after which more may be created."""

    create: list[Json]
    delete: list[PodView]
    after: float | None = None


def moves(facts: Facts) -> Moves:
    """Bring the number of active pods to what parallelism and the remaining completions ask for."""
    if facts.suspended:
        return Moves([], facts.active)
    surplus = _misplaced(facts)
    active = [pod for pod in facts.active if pod not in surplus]
    wanted: int = facts.spec.get("parallelism", 1)
    if facts.completions is not None:
        left = facts.completions - facts.succeeded_count - len(facts.failed_indexes)
        wanted = max(min(left, wanted), 0)
    elif facts.succeeded_count:
        # A work queue: once one pod succeeded, the others finish and none is added.
        wanted = len(active)
    if len(active) > wanted:
        extra = ranking.doomed(active, active, len(active) - wanted, facts.now)
        return Moves([], [*surplus, *extra])
    busy = len(active) + (len(facts.terminating) if facts.waits_for_end else 0)
    missing = min(wanted - busy, BURST)
    if missing <= 0:
        return Moves([], surplus)
    if facts.indexed:
        create, after = _indexed(facts, active, missing)
        return Moves(create, surplus, after)
    delay = facts.delay()
    return Moves([], surplus, delay) if delay > 0 else Moves([_pod(facts) for _ in range(missing)], surplus)


def _misplaced(facts: Facts) -> list[PodView]:
    """Active pods of an indexed job whose index is done, out of range or held by an older pod."""
    if not facts.indexed:
        return []
    seen = facts.succeeded_indexes | facts.failed_indexes
    taken, result = set(seen), []
    for pod in sorted(facts.active, key=lambda pod: (pod.metadata.creationTimestamp or "", pod.name)):
        index = index_of(pod)
        if index in taken or not 0 <= index < (facts.completions or 0):
            result.append(pod)
        taken.add(index)
    return result


def _indexed(facts: Facts, active: list[PodView], count: int) -> tuple[list[Json], float | None]:
    """Pods for the lowest indexes that are free and not backing off."""
    taken = {index_of(pod) for pod in active} | facts.succeeded_indexes | facts.failed_indexes
    if facts.waits_for_end:
        taken |= {index_of(pod) for pod in facts.terminating}
    if not facts.per_index and (delay := facts.delay()) > 0:
        return [], delay
    create: list[Json] = []
    waits = []
    for index in range(facts.completions or 0):
        if index in taken:
            continue
        delay = facts.delay(index) if facts.per_index else 0.0
        if delay > 0:
            waits.append(delay)
        elif len(create) < count:
            create.append(_pod(facts, index))
        else:
            break
    return create, min(waits, default=None)


def _pod(facts: Facts, index: int | None = None) -> Json:
    pod = from_template(facts.spec["template"], facts.job)
    meta = pod["metadata"]
    meta["finalizers"] = [*meta.get("finalizers", []), TRACKING]
    if pod["spec"].get("restartPolicy", "Always") == "Always":
        pod["spec"]["restartPolicy"] = "Never"
    if index is None:
        return pod
    # Index as label, annotation, host name and environment; the failures so far, where they count per index.
    name = facts.job["metadata"]["name"]
    meta["generateName"] = f"{name}-{index}-"
    meta.setdefault("labels", {})[indexes.INDEX] = str(index)
    notes = meta.setdefault("annotations", {})
    notes[indexes.INDEX] = str(index)
    if facts.per_index:
        notes[FAILURES] = str(facts.index_failures.get(index, 0))
        last = facts.last_failed.get(index)
        if last is not None and (facts.ignored(last) or IGNORED_FAILURES in last.metadata.annotations):
            before = int(last.metadata.annotations.get(IGNORED_FAILURES, "0"))
            notes[IGNORED_FAILURES] = str(before + facts.ignored(last))
    pod["spec"]["hostname"] = f"{name}-{index}"
    for container in podutil.all_containers(pod["spec"], ephemeral=False):
        env = container.setdefault("env", [])
        if all(variable["name"] != _INDEX_ENV["name"] for variable in env):
            env.append(copy.deepcopy(_INDEX_ENV))
    return pod
