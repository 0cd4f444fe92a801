"""The scheduler: takes pending pods, places them, binds them in batches, and says why the others wait.

One round: (1) apply what changed, (2) take a batch from the queue as groups of one class, (3) place each group,
planning preemption for what fits nowhere, (4) bind all placements in one commit, (5) write conditions and events of the
refused.
Nothing is kept but what can be rebuilt from the cache: after a crash the next start takes up the pods still unbound.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any

from cluster.cache import Cache
from cluster.events import Recorder
from cluster.store import Key
from kube import selectors
from kube.errors import ApiError
from kube.objects import Json
from scheduler import messages, metrics, preemption, volumes
from scheduler.framework import Diagnosis, Framework
from scheduler.plugins import default_plugins
from scheduler.plugins.base import View
from scheduler.plugins.volume_binding import VolumeBinding
from scheduler.pods import DEFAULT_SCHEDULER, PodInfo
from scheduler.queue import SchedulingQueue
from scheduler.report import Reporter
from scheduler.state import SchedulerState

log = logging.getLogger(__name__)


BATCH = 250  # pods a round, and so bindings a commit: kubelets start the first while the next are placed


class CacheListers:
    """What plugins look up: decoded objects of the cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def get(self, storage: str, namespace: str, name: str) -> Json | None:
        entry = self._cache.get(Key(storage, namespace, name))
        return entry.object() if entry else None

    def list(self, storage: str, namespace: str | None = None) -> list[Json]:
        return [entry.object() for entry in self._cache.list(storage, namespace)]


class Scheduler:
    """Schedules the pods whose `schedulerName` is `name`. `session` is a `cluster.verbs.Session`.

    `changed` is called, from any thread, when there may be something to do.
    """

    def __init__(
        self,
        session: Any,
        cache: Cache,
        name: str = DEFAULT_SCHEDULER,
        seed: int | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._session, self._cache = session, cache
        listers = CacheListers(cache)
        plugins = default_plugins(listers)
        self.framework = Framework(plugins, seed)
        self.state = SchedulerState(SchedulingQueue({p.name: p.wakes for p in plugins}), name, changed)
        self._volumes = next(p for p in plugins if isinstance(p, VolumeBinding))
        self._random = Random(seed)
        self._recorder = Recorder(name)
        self._report = Reporter(session, cache, self._recorder)
        self._unsubscribe = cache.subscribe(self.state.feed, replay=True)
        metrics.follow(self.state.queue.sizes)

    def close(self) -> None:
        self._unsubscribe()
        metrics.follow(SchedulingQueue({}).sizes)  # here nothing waits any more

    def run(self, seconds: float = 1.0) -> float | None:
        """Rounds until no pod is active or the time is over; returns when to run again (seconds), None: on a change."""
        until = time.monotonic() + seconds
        self.round()
        while self.state.queue.next_due() == 0.0 and time.monotonic() < until:
            self.round()
        return self.state.queue.next_due()

    def round(self) -> int:
        """One round; returns how many pods it took."""
        self._cache.refresh()
        self.state.catch_up()
        groups = self.state.queue.pop(BATCH)
        placed: list[PodInfo] = []
        for group in groups:
            started = time.perf_counter()
            found = self._schedule(group)
            metrics.attempted(self.state.name, len(found), len(group), time.perf_counter() - started)
            placed += found
        self._bind(placed)
        self._report.gated(pod for pod in self.state.queue.pending() if pod.cls.gated)
        self._report.flush()
        return sum(map(len, groups))

    def _schedule(self, group: Sequence[PodInfo]) -> list[PodInfo]:
        """Place one group; returns the pods that have a node now."""
        if group[0].cls.claims:  # each pod's own claims decide
            return [pod for pod in group if self._schedule_with_volumes(pod)]
        with self._reserved(group):
            result = self.framework.place(group, self.state.table)
        if result.diagnosis is not None:
            self._refuse(result.refused, result.diagnosis)
        return [pod for pod, _ in result.placed]

    def _schedule_with_volumes(self, pod: PodInfo) -> bool:
        """As `_schedule`; a pod whose claims must be bound first waits until they are."""
        with self._reserved([pod]):
            result = self.framework.place([pod], self.state.table)
        if result.diagnosis is not None:
            self._refuse([pod], result.diagnosis)
            return False
        slot = self.state.table.slots[pod.node]
        choices = self._volumes.choose(pod, View(self.state.table), slot)
        if not choices:
            return True
        volumes.prepare(self._session, choices, pod.node)
        self._unassume(pod)
        self.state.queue.refuse(pod, ["VolumeBinding"])
        return False

    @contextmanager
    def _reserved(self, group: Sequence[PodInfo]) -> Iterator[None]:
        """Count pods as placed that preemption makes room for and that are at least as important as this group."""
        mine, priority = {pod.uid for pod in group}, group[0].cls.priority
        stand_ins = [
            dataclasses.replace(pod, node=pod.nominated, uid=f"nominated:{pod.uid}")
            for uid, pod in self.state.nominated.items()
            if uid not in mine and pod.cls.priority >= priority
        ]
        for pod in stand_ins:
            self.state.table.put_pod(pod)
        try:
            yield
        finally:
            for pod in stand_ins:
                self.state.table.drop_pod(pod.uid)

    def _refuse(self, pods: Sequence[PodInfo], diagnosis: Diagnosis) -> None:
        """Try preemption, put the pods (of one class) back, and report."""
        outcome: preemption.Outcome | None = None
        for pod in pods:
            # Where one of the class finds no victims, the others will not either.
            if outcome is None or outcome.node or pod.nominated:
                outcome = self._preempt(pod, diagnosis)
            self.state.queue.refuse(pod, diagnosis.plugins)
            self._report.refused(pod, messages.refusal(diagnosis, outcome.message), outcome.node)

    def _preempt(self, pod: PodInfo, diagnosis: Diagnosis) -> preemption.Outcome:
        """Make room for a pod if its priority allows; whole-pod rejections are beyond help."""
        if diagnosis.rejection or not diagnosis.nodes:
            return preemption.Outcome()
        budgets = []
        for entry in self._cache.list("poddisruptionbudgets.policy"):
            obj = entry.object()
            selector = selectors.from_object((obj.get("spec") or {}).get("selector"))
            allowed = (obj.get("status") or {}).get("disruptionsAllowed") or 0
            budgets.append(preemption.Budget(entry.key.namespace, selector, allowed))
        with self._reserved([pod]):
            outcome = preemption.plan(pod, self.state.table, self.framework, diagnosis, budgets, self._random)
        metrics.PREEMPTIONS.add()
        if outcome.node:
            metrics.VICTIMS.observe(len(outcome.victims))
            # The node is noted for the pod, and the victims are sent away.
            pod.nominated = outcome.node
            self.state.nominated[pod.uid] = pod
            for victim in outcome.victims:
                self._report.preempted(victim, pod, outcome.node)
        return outcome

    def _bind(self, placed: Sequence[PodInfo]) -> None:
        """Bind all placements in one commit; what could not be bound is not counted any more and tried again."""
        if not placed:
            return
        try:
            results = self._session.bind_many([(pod.namespace, pod.name, pod.node) for pod in placed])
        except Exception:
            for pod in placed:
                self._unassume(pod)
                self.state.queue.retry(pod)
            raise
        for pod, result in zip(placed, results, strict=True):
            if isinstance(result, ApiError):
                log.info("%s/%s was not bound to %s: %s", pod.namespace, pod.name, pod.node, result)
                metrics.failed(self.state.name)
                self._unassume(pod)
                if result.code == 404:
                    self.state.queue.remove(pod.key)
                else:
                    self.state.queue.retry(pod)
            else:
                metrics.bound(pod.attempts, self.state.queue.age(pod.key))
                self.state.queue.remove(pod.key)
                self.state.nominated.pop(pod.uid, None)
                self._recorder.event(
                    self._session,
                    result,
                    "Normal",
                    "Scheduled",
                    f"Successfully assigned {pod.namespace}/{pod.name} to {pod.node}",
                )

    def _unassume(self, pod: PodInfo) -> None:
        self.state.table.drop_pod(pod.uid)
        pod.node = ""
