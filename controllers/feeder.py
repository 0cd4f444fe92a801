"""Turns changes into keys: follows the cache, asks each controller's watches, adds the keys to its queue.

One process per role feeds; the others hold their caches and stand by. Whoever becomes the feeder, and whenever Redis
comes back without its memory, every object's keys are added once (a resync), so nothing depends on what Redis kept.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from controllers.runtime import Runtime, Watch
from controllers.workqueue import LOW_PRIORITY

if TYPE_CHECKING:
    from cluster.cache import Cache, Entry, Event

log = logging.getLogger(__name__)

EVERYTHING = "*"  # a watch of this storage sees every object, those of custom resources too
RETRY_SECONDS = 0.2  # pause after Redis did not take the keys
GATHER_SECONDS = 0.01  # between two hand-overs at least: in a burst of changes each key is handed over once


class Feeder:
    """Collects keys in memory (each once) and hands them to the queues in batches, from a thread of its own."""

    def __init__(self, runtime: Runtime, cache: Cache) -> None:
        self._runtime = runtime
        self._cache = cache
        self._by_storage: dict[str, list[tuple[str, Watch]]] = {}
        for controller in runtime.controllers.values():
            for watch in controller.watches:
                self._by_storage.setdefault(watch.storage, []).append((controller.name, watch))
        self._pending: dict[str, dict[str, None]] = {}
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._leading = False
        self._failing = False
        self._overflow: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    def start(self) -> None:
        """Begin to follow the cache. Nothing is fed before `lead(True)`."""
        self._cache.subscribe(self._on_events)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wanted.set()
        self._thread.join(5)

    def lead(self, leading: bool) -> None:
        """Become the feeder (which starts with a resync) or stop being it."""
        was, self._leading = self._leading, leading
        if leading and not was:
            log.info("this process feeds the work queues")
            self.resync()
        elif was and not leading:
            log.warning("another process feeds the work queues now")

    def resync(self, names: Iterable[str] | None = None) -> None:
        """Add the keys of all objects to all queues, or to those of the controllers named; behind fresh changes."""
        chosen = self._runtime.controllers if names is None else names
        for name in chosen:
            keys: dict[str, None] = {}
            for watch in self._runtime.controllers[name].watches:
                for storage in self._cache.stored() if watch.storage == EVERYTHING else (watch.storage,):
                    for entry in self._cache.list(storage):
                        keys.update(dict.fromkeys(watch.keys(entry, self._cache)))
            self._put(name, keys, LOW_PRIORITY)

    def catch_up(self) -> None:
        """Resync the queues that had refused keys because they were full, once there is room again."""
        with self._lock:
            names, self._overflow = self._overflow, set()
        if names and self._leading:
            log.warning("work queues were full, adding all keys again: %s", ", ".join(sorted(names)))
            self.resync(names)

    def _on_events(self, events: Sequence[Event]) -> None:
        """Called by the cache, maybe from a reconcile: maps only, and leaves Redis to the thread."""
        if not self._leading:
            return
        found: dict[str, dict[str, None]] = {}
        for event in events:
            watches = (*self._by_storage.get(event.key.storage, ()), *self._by_storage.get(EVERYTHING, ()))
            for name, watch in watches:
                if watch.when is None or watch.when(event):
                    keys = found.setdefault(name, {})
                    for entry in _states(event):
                        keys.update(dict.fromkeys(watch.keys(entry, self._cache)))
        if not found:
            return
        with self._lock:
            for name, keys in found.items():
                self._pending.setdefault(name, {}).update(keys)
        self._wanted.set()

    def _run(self) -> None:
        flushed = 0.0
        while not self._stopping.is_set():
            self._wanted.wait()
            self._stopping.wait(max(flushed + GATHER_SECONDS - time.monotonic(), 0.0))
            self._wanted.clear()
            with self._lock:
                pending, self._pending = self._pending, {}
            flushed = time.monotonic()
            if not self._flush(pending) and not self._stopping.wait(RETRY_SECONDS):
                self._wanted.set()

    def _flush(self, pending: dict[str, dict[str, None]]) -> bool:
        """Hand keys to the queues; what Redis did not take goes back to pending."""
        for name in list(pending):
            try:
                self._put(name, pending[name], 0)
            except Exception as error:  # Redis is away, or came back as another: keep the keys
                if not self._failing:
                    log.warning("cannot reach the work queue of %s, trying on: %s", name, error)
                self._failing = True
                with self._lock:
                    for rest, keys in pending.items():
                        self._pending[rest] = {**keys, **self._pending.get(rest, {})}
                return False
            del pending[name]
            self._failing = False
        return True

    def _put(self, name: str, keys: Iterable[str], priority: int) -> None:
        if not self._runtime.add(name, keys, priority):
            with self._lock:
                self._overflow.add(name)


def _states(event: Event) -> Sequence[Entry]:
    """The states an event tells of: the new one (the last one of a deletion), and the one before if it may matter.

    Pods change most, and hardly ever in what mappers look at: then the old state names the same keys.
    """
    entry, previous = event.entry, event.previous
    if previous is None:
        return (entry,)
    if entry.key.storage == "pods" and entry.node == previous.node:
        new, old = entry.meta, previous.meta
        if (new.labels, new.ownerReferences, new.uid) == (old.labels, old.ownerReferences, old.uid):
            return (entry,)
    return entry, previous
