"""Pods that wait for a node: active ones by priority and age, ones that back off, and ones that wait for a change.

Unschedulable pods are kept by the plugins that refused them, so that a change wakes only those that it may help. One
thread uses a queue; nothing here locks.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from scheduler.pods import PodInfo

FIRST_BACKOFF = 1.0  # seconds
LONGEST_BACKOFF = 10.0
STALE_AFTER = 300.0  # an unschedulable pod is tried again after this even if nothing woke it

Key = tuple[str, str]


@dataclass(slots=True)
class Waiting:
    """One pending pod in the queue, `entered` then. `token` invalidates older heap entries of it."""

    pod: PodInfo
    token: int
    entered: float = 0.0
    attempts: int = 0
    plugins: frozenset[str] = frozenset()
    backoff_until: float = 0.0
    since: float = 0.0


class SchedulingQueue:
    """`wakes` tells which changes concern a plugin, `clock` gives seconds that never go back."""

    def __init__(self, wakes: dict[str, frozenset[str]], clock: Callable[[], float] = time.monotonic) -> None:
        self._wakes = wakes
        self._clock = clock
        self._tokens = itertools.count()
        self._pods: dict[Key, Waiting] = {}
        self._active: list[tuple[int, float, int, Key]] = []
        self._backoff: list[tuple[float, int, Key]] = []
        self._parked: dict[frozenset[str], dict[Key, None]] = {}

    def __len__(self) -> int:
        return len(self._pods)

    def __contains__(self, key: Key) -> bool:
        return key in self._pods

    def put(self, pod: PodInfo) -> None:
        """Add a pending pod, or take over its new state; one that changed in what scheduling looks at is tried anew."""
        waiting = self._pods.get(pod.key)
        if waiting is None or waiting.pod.uid != pod.uid:
            self.remove(pod.key)
            waiting = self._pods[pod.key] = Waiting(pod, 0, self._clock())
        elif waiting.pod.cls is pod.cls:
            pod.attempts = waiting.pod.attempts
            waiting.pod = pod
            return
        waiting.pod = pod
        self._unpark(waiting)
        if pod.cls.gated:
            waiting.token = next(self._tokens)
        else:
            self._activate(waiting)

    def remove(self, key: Key) -> None:
        """Forget a pod (bound, deleted); unknown keys are fine."""
        waiting = self._pods.pop(key, None)
        if waiting is not None:
            self._unpark(waiting)

    def pop(self, maximum: int) -> list[list[PodInfo]]:
        """Take up to `maximum` active pods, highest priority and oldest first, as groups of one class."""
        self._drop_outdated()
        now = self._clock()
        while self._backoff and self._backoff[0][0] <= now:
            _, token, key = heapq.heappop(self._backoff)
            rested = self._current(key, token)
            if rested is not None:
                self._activate(rested)
        groups: dict[tuple[int, int], list[PodInfo]] = {}
        for _ in range(maximum):
            waiting = self._next_active()
            if waiting is None:
                break
            waiting.attempts += 1
            waiting.token = next(self._tokens)
            waiting.pod.attempts = waiting.attempts
            groups.setdefault((waiting.pod.cls.priority, id(waiting.pod.cls)), []).append(waiting.pod)
        return list(groups.values())

    def refuse(self, pod: PodInfo, plugins: Iterable[str]) -> None:
        """Put a popped pod back until a change that concerns one of `plugins`."""
        waiting = self._pods.get(pod.key)
        if waiting is None or waiting.pod.uid != pod.uid:
            return
        self._set_backoff(waiting)
        waiting.plugins, waiting.since = frozenset(plugins), self._clock()
        self._parked.setdefault(waiting.plugins, {})[pod.key] = None

    def retry(self, pod: PodInfo) -> None:
        """Put a popped pod back after a failure that is not its own (a lost bind): it backs off, then is active."""
        waiting = self._pods.get(pod.key)
        if waiting is not None and waiting.pod.uid == pod.uid:
            self._set_backoff(waiting)
            self._enqueue(waiting)

    def wake(self, changes: Iterable[str]) -> int:
        """Move the pods that one of the changes (`Node/Add`, ...) may help towards active; returns how many."""
        happened = set(changes)
        moved = 0
        for plugins in list(self._parked):
            if not plugins or any(self._wakes.get(name, frozenset()) & happened for name in plugins):
                keys = self._parked.pop(plugins)
                for key in keys:
                    self._enqueue(self._pods[key])
                moved += len(keys)
        return moved

    def flush_stale(self) -> int:
        """Try again the pods that nothing woke for a long time."""
        limit = self._clock() - STALE_AFTER
        stale = [self._pods[key] for keys in self._parked.values() for key in keys if self._pods[key].since <= limit]
        for waiting in stale:
            self._unpark(waiting)
            self._enqueue(waiting)
        return len(stale)

    def next_due(self) -> float | None:
        """Seconds until a pod becomes active by itself (0: now), None if none will."""
        self._drop_outdated()
        if self._active:
            return 0.0
        return max(self._backoff[0][0] - self._clock(), 0.0) if self._backoff else None

    def pending(self) -> list[PodInfo]:
        """All pods in the queue, gated ones included."""
        return [waiting.pod for waiting in self._pods.values()]

    def age(self, key: Key) -> float:
        """Seconds since a pod came into the queue."""
        waiting = self._pods.get(key)
        return self._clock() - waiting.entered if waiting is not None else 0.0

    def sizes(self) -> dict[str, int]:
        """For metrics: pods by where they wait. Other threads may ask, so what changes meanwhile is copied first."""
        parked = sum(map(len, list(self._parked.values())))
        gated = sum(waiting.pod.cls.gated for waiting in list(self._pods.values()))
        return {
            "unschedulable": parked,
            "gated": gated,
            "backoff": len(self._backoff),
            "active": len(self._pods) - parked - gated - len(self._backoff),
        }

    def _activate(self, waiting: Waiting) -> None:
        waiting.token = next(self._tokens)
        waiting.backoff_until = 0.0
        pod = waiting.pod
        heapq.heappush(self._active, (-pod.cls.priority, pod.created, waiting.token, pod.key))

    def _set_backoff(self, waiting: Waiting) -> None:
        delay = min(FIRST_BACKOFF * 2 ** min(waiting.attempts - 1, 10), LONGEST_BACKOFF)
        waiting.backoff_until = self._clock() + max(delay, 0)

    def _enqueue(self, waiting: Waiting) -> None:
        """Active, or backing off for what is left of its delay."""
        if waiting.backoff_until <= self._clock():
            self._activate(waiting)
            return
        waiting.token = next(self._tokens)
        heapq.heappush(self._backoff, (waiting.backoff_until, waiting.token, waiting.pod.key))

    def _unpark(self, waiting: Waiting) -> None:
        keys = self._parked.get(waiting.plugins)
        if keys is not None:
            keys.pop(waiting.pod.key, None)
            if not keys:
                del self._parked[waiting.plugins]

    def _current(self, key: Key, token: int) -> Waiting | None:
        waiting = self._pods.get(key)
        return waiting if waiting is not None and waiting.token == token else None

    def _drop_outdated(self) -> None:
        while self._active and self._current(self._active[0][3], self._active[0][2]) is None:
            heapq.heappop(self._active)
        while self._backoff and self._current(self._backoff[0][2], self._backoff[0][1]) is None:
            heapq.heappop(self._backoff)

    def _next_active(self) -> Waiting | None:
        self._drop_outdated()
        if not self._active:
            return None
        _, _, token, key = heapq.heappop(self._active)
        return self._current(key, token)
