"""What has to be done next for a pod: a pure function of its spec and of what runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kube.pods import podutil
from kube.pods.restarts import restarts
from kubelet.runtimes.base import ContainerState, PodState

if TYPE_CHECKING:
    from kube.shapes import ContainerLike, PodLike


@dataclass
class Plan:
    """`start` in order; `stop` are sidecars that outlived the others; `phase` is set when the pod is finished."""

    start: list[str] = field(default_factory=list)
    stop: list[str] = field(default_factory=list)
    phase: str | None = None
    initialized: bool = False


def make(pod: PodLike, state: PodState | None, has_started: Callable[[str], bool]) -> Plan:
    """`has_started(name)` tells whether a running container passed its startup probe.

    1. Init containers run one after the other; a sidecar among them only has to have started.
    2. Then all others start, and again as the restart policies say.
    3. When none is left to run, sidecars stop, and the pod is finished.

    Ephemeral containers start once each, as long as the pod is not finished.
    """
    plan = Plan()
    _init(pod, state, has_started, plan)
    if plan.initialized and not plan.phase and _mains(pod, state, plan):
        _finish(pod, state, plan)
    if not plan.phase and not plan.stop:
        plan.start += [c["name"] for c in podutil.ephemerals(pod) if _is_new(pod, state, c["name"])]
    return plan


def _is_new(pod: PodLike, state: PodState | None, name: str) -> bool:
    if _latest(state, name) is not None:
        return False
    before = (podutil.reported(pod, name) or {}).get("state") or {}
    return "running" not in before and "terminated" not in before


def _latest(state: PodState | None, name: str) -> ContainerState | None:
    return state.latest(name) if state else None


def _of_this_sandbox(state: PodState | None, name: str) -> ContainerState | None:
    """Init containers run again in a new sandbox: what they prepared may be gone."""
    found = _latest(state, name)
    return found if found and state and found.started_at >= state.since else None


def _init(pod: PodLike, state: PodState | None, has_started: Callable[[str], bool], plan: Plan) -> None:
    passed = any(_of_this_sandbox(state, c["name"]) for c in podutil.mains(pod))
    passed = passed or (state is not None and not _mains_to_start(pod, state))
    for container in podutil.inits(pod):
        name = container["name"]
        found = _of_this_sandbox(state, name)
        if podutil.is_sidecar(container):
            if found is None or not found.running:
                plan.start.append(name)
            if not passed and not (found and found.running and has_started(name)):
                return
        elif not passed and not _init_done(pod, container, found, plan):
            return
    plan.initialized = True


def _init_done(pod: PodLike, container: ContainerLike, found: ContainerState | None, plan: Plan) -> bool:
    if found is None:
        plan.start.append(container["name"])
    elif not found.running:
        if found.exit_code == 0:
            return True
        if restarts(pod["spec"], container, found.exit_code):
            plan.start.append(container["name"])
        else:
            plan.phase, plan.start = "Failed", []
    return False


def _mains_to_start(pod: PodLike, state: PodState | None) -> list[str]:
    names = []
    for container in podutil.mains(pod):
        found = _latest(state, container["name"])
        if found is None or (not found.running and restarts(pod["spec"], container, found.exit_code)):
            names.append(container["name"])
    return names


def _mains(pod: PodLike, state: PodState | None, plan: Plan) -> bool:
    """Plans the starts; whether none runs and none will."""
    names = _mains_to_start(pod, state)
    plan.start += names
    return not names and all(
        found is not None and not found.running
        for found in (_latest(state, container["name"]) for container in podutil.mains(pod))
    )


def _finish(pod: PodLike, state: PodState | None, plan: Plan) -> None:
    plan.start = []
    running = [c["name"] for c in podutil.inits(pod) if (s := _latest(state, c["name"])) and s.running]
    if running:
        plan.stop = list(reversed(running))
        return
    codes = [s.exit_code for c in podutil.mains(pod) if (s := _latest(state, c["name"]))]
    plan.phase = "Failed" if any(codes) else "Succeeded"
