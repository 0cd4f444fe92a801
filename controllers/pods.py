"""What controllers look at in a pod: a typed view, decoded once per revision, and the usual questions to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from kube.pods import podutil

if TYPE_CHECKING:
    from cluster.cache import Entry
    from cluster.store import Key

MEMO = 8_192  # decoded pods kept; when full, all are dropped


class TerminatedView(msgspec.Struct, frozen=True, gc=False):
    exitCode: int = 0
    finishedAt: str | None = None


class StateView(msgspec.Struct, frozen=True, gc=False):
    terminated: TerminatedView | None = None


class ContainerStatusView(msgspec.Struct, frozen=True, gc=False):
    name: str = ""
    restartCount: int = 0
    state: StateView | None = None


class ConditionView(msgspec.Struct, frozen=True, gc=False):
    type: str = ""
    status: str = ""
    reason: str | None = None
    lastTransitionTime: str | None = None


class StatusView(msgspec.Struct, frozen=True, gc=False):
    phase: str = ""
    conditions: list[ConditionView] | None = None
    containerStatuses: list[ContainerStatusView] | None = None
    initContainerStatuses: list[ContainerStatusView] | None = None


class SpecView(msgspec.Struct, frozen=True, gc=False):
    nodeName: str | None = None
    restartPolicy: str = "Always"


class MetaView(msgspec.Struct, frozen=True, gc=False):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: list[str] | None = None
    creationTimestamp: str | None = None
    deletionTimestamp: str | None = None


class PodView(msgspec.Struct, frozen=True, gc=False):
    """The parts of a pod that decide what a controller does."""

    metadata: MetaView
    spec: SpecView
    status: StatusView = StatusView()

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def phase(self) -> str:
        return self.status.phase or "Pending"

    @property
    def terminating(self) -> bool:
        return self.metadata.deletionTimestamp is not None

    @property
    def finished(self) -> bool:
        return self.status.phase in podutil.FINISHED

    @property
    def active(self) -> bool:
        """Counts towards the replicas: neither finished nor being deleted."""
        return not self.terminating and not self.finished

    @property
    def ready(self) -> bool:
        return (condition := self.condition("Ready")) is not None and condition.status == "True"

    def condition(self, type: str) -> ConditionView | None:
        return next((c for c in self.status.conditions or () if c.type == type), None)

    def available_in(self, min_ready: float, now: float) -> float | None:
        """Seconds until the pod counts as available (0: it does), None while it is not ready."""
        condition = self.condition("Ready")
        if condition is None or condition.status != "True":
            return None
        return podutil.available_in(condition.lastTransitionTime, min_ready, now)

    @property
    def all_statuses(self) -> list[ContainerStatusView]:
        """Of containers and init containers."""
        return [*(self.status.containerStatuses or ()), *(self.status.initContainerStatuses or ())]

    @property
    def restarts(self) -> int:
        return max((status.restartCount for status in self.status.containerStatuses or ()), default=0)


_decode = msgspec.json.Decoder(PodView).decode
_memo: dict[Key, tuple[int, PodView]] = {}


def view(entry: Entry) -> PodView:
    """The typed view of a pod in the cache."""
    found = _memo.get(entry.key)
    if found is not None and found[0] == entry.revision:
        return found[1]
    pod = _decode(entry.body)
    if len(_memo) >= MEMO:
        _memo.clear()
    _memo[entry.key] = entry.revision, pod
    return pod


def until_available(pods: Iterable[PodView], min_ready: float, now: float) -> float | None:
    """Seconds until the next ready pod will have been ready for long enough; None when no pod waits for that."""
    if not min_ready:
        return None
    return min((wait for pod in pods if (wait := pod.available_in(min_ready, now))), default=None)


def views(entries: Iterable[Entry]) -> list[PodView]:
    """The typed views of several pods, in order."""
    return [view(entry) for entry in entries]
