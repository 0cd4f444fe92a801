"""What a controller is, and the loop that runs it.

A controller says which storages it watches, which keys ("namespace/name") an object that changed concerns, and what to
do for a key. It never sees an event: it reads the cache, compares with what is wanted, and writes the difference.

    class Widgets(Controller):
        name = "widget"
        watches = (Watch("widgets.example.com", own_key), Watch("pods", owner_key("Widget")))

        def reconcile(self, key, ctx):
            ...
            return 30.0          # look again in 30 s (None: when something changes)

An exception puts the key back with exponential back-off; `Terminal` does not. A controller that gains from writing for
many keys in one commit implements `reconcile_many` instead.

The parts: `controllers.feeder` turns changes into keys, `controllers.workqueue` keeps them, a Celery task (see
`controllers.tasks`) wakes `Runtime.drain`, and `controllers.ticker` wakes what is due and recovers what was lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controllers import metrics
from controllers.metrics import Durations
from controllers.workqueue import Batch, Outcome, WorkQueue

if TYPE_CHECKING:
    from cluster.cache import Cache, Entry, Event
    from cluster.store import Key
    from cluster.verbs import Session

log = logging.getLogger(__name__)

Result = float | None  # seconds after which to look at the key again
Outcomes = dict[str, "Result | Exception"]


HORIZON = 0.1  # seconds for which a drain waits for a delayed key instead of leaving it to the timer
LONGEST_PAUSE = 0.1


class Terminal(Exception):
    """Trying again does not help before something changes: the key is dropped, the message logged."""


@dataclass(frozen=True)
class Watch:
    """Objects of `storage` concern the keys that `keys(entry, cache)` names.

    Called for the new and for the previous state, so that a key that an object no longer concerns hears of it too.
    `when(event)` may filter out changes that do not matter; it does not see the objects of a resync.
    """

    storage: str
    keys: Callable[[Entry, Cache], Iterable[str]]
    when: Callable[[Event], bool] | None = None


@dataclass
class Context:
    """What a reconcile works with. `now()` is the time in epoch seconds; tests replace it."""

    session: Session
    cache: Cache
    now: Callable[[], float] = time.time


class Controller:
    """Base of all controllers; see the module's text. `batch` keys at most are given to one `reconcile_many`."""

    name: str = ""
    user: str = "system:kube-controller-manager"
    watches: tuple[Watch, ...] = ()
    batch: int = 10

    def reconcile(self, key: str, ctx: Context) -> Result:
        """Bring the object of `key` to its desired state. The cache is at the newest revision when this is called."""
        raise NotImplementedError

    def reconcile_many(self, keys: Sequence[str], ctx: Context) -> Outcomes:
        """Reconcile several keys; the default does it one by one. A missing key in the answer counts as None."""
        outcomes: Outcomes = {}
        for key in keys:
            try:
                ctx.cache.refresh()
                outcomes[key] = self.reconcile(key, ctx)
            except Exception as error:  # the error decides the retry of this key and must not stop the others
                outcomes[key] = error
        return outcomes


def join_key(namespace: str, name: str) -> str:
    """The key of an object: "namespace/name", or "name" for a cluster-scoped one."""
    return f"{namespace}/{name}" if namespace else name


def split_key(key: str) -> tuple[str, str]:
    """The inverse of `join_key`: (namespace or "", name)."""
    namespace, _, name = key.rpartition("/")
    return namespace, name


def own_key(entry: Entry, cache: Cache) -> Iterable[str]:
    """Mapper: the object itself."""
    yield join_key(entry.key.namespace, entry.key.name)


def namespace_key(entry: Entry, cache: Cache) -> Iterable[str]:
    """Mapper: the namespace that an object is in."""
    yield entry.key.namespace


def keys_of(storage: str) -> Callable[[Entry, Cache], Iterable[str]]:
    """Mapper: every object of `storage` in the namespace of the object; all of them for a cluster-scoped one."""

    def keys(entry: Entry, cache: Cache) -> Iterable[str]:
        return [join_key(*found.key[1:]) for found in cache.list(storage, entry.key.namespace or None)]

    return keys


def is_going(event: Event) -> bool:
    """For `Watch.when`: the object is marked for deletion, and waits for its finalizers."""
    return bool(event.entry.meta.deletionTimestamp)


def going(ctx: Context, key: Key) -> Entry | None:
    """The object if it is marked for deletion."""
    entry = ctx.cache.get(key)
    return entry if entry is not None and entry.meta.deletionTimestamp else None


class Runtime:
    """The controllers of one role in one process: their queues, and the loop that drains one."""

    def __init__(
        self,
        controllers: Iterable[Controller],
        queue: Callable[[str], WorkQueue],
        context: Callable[[Controller], Context],
        wake: Callable[[str], None],
    ) -> None:
        self.controllers = {controller.name: controller for controller in controllers}
        self.queues = {name: queue(name) for name in self.controllers}
        self._contexts = {name: context(controller) for name, controller in self.controllers.items()}
        self.wake = wake
        self.durations = {name: Durations() for name in self.controllers}
        self._delay_hint: Callable[[], None] = lambda: None

    def on_delay(self, callback: Callable[[], None]) -> None:
        """`callback` is called after a key was put back for later, so that the timer can aim anew."""
        self._delay_hint = callback

    def add(self, name: str, keys: Iterable[str], priority: int = 0) -> bool:
        """Add keys to a controller's queue and wake a worker. False when the queue is full and refused some."""
        added = self.queues[name].add(keys, priority)
        if added.wake:
            self.wake(name)
        return not added.refused

    def drain(self, name: str, seconds: float = 1.0) -> int:
        """Reconcile until the queue is empty; after `seconds` hand over to a new wake-up, so that others get a turn.

        Returns the number of keys processed.
        """
        controller, queue = self.controllers[name], self.queues[name]
        until, processed = time.monotonic() + seconds, 0
        while True:
            batch = queue.get(controller.batch, HORIZON)
            if batch.items:
                self._process(controller, queue, batch)
                processed += len(batch.items)
            elif batch.due is not None and (wait := batch.due - time.time()) <= HORIZON:
                time.sleep(max(wait, 0.0))
            else:
                return processed
            if time.monotonic() > until:
                self.wake(name)
                return processed

    def _process(self, controller: Controller, queue: WorkQueue, batch: Batch) -> None:
        started = time.monotonic()
        with self.durations[controller.name].working(len(batch.items)):
            keys, ctx = [item.key for item in batch.items], self._contexts[controller.name]
            try:
                ctx.cache.refresh()
                outcomes = controller.reconcile_many(keys, ctx)
            except Exception as error:  # whatever happens, the keys must be given back
                outcomes = dict.fromkeys(keys, error)
        results = [self._outcome(controller, item.key, outcomes.get(item.key)) for item in batch.items]
        worked = time.monotonic() - started
        # A key that changes faster than it can be reconciled takes a quarter of the time at most, and sees more at once.
        failures = queue.done(batch.token, results, pause=min(3 * worked, LONGEST_PAUSE))
        self.durations[controller.name].observe([item.waited for item in batch.items], worked)
        metrics.count(controller.name, results)
        for result, count in zip(results, failures, strict=True):
            if result.failed:
                _tell(controller.name, result.key, outcomes[result.key], count)
        if any(result.failed or result.after is not None for result in results):
            self._delay_hint()

    @staticmethod
    def _outcome(controller: Controller, key: str, outcome: Result | Exception) -> Outcome:
        if isinstance(outcome, Terminal):
            log.warning("%s: giving up on %s until it changes: %s", controller.name, key, outcome)
            return Outcome(key)
        if not isinstance(outcome, Exception):
            return Outcome(key, after=outcome)
        return Outcome(key, failed=True)


def _tell(name: str, key: str, error: object, count: int) -> None:
    """Log the first failure of a key, and some of those that follow: what fails is tried for ever.

    That somebody wrote or deleted meanwhile is the normal course; anything unforeseen shows its traceback.
    """
    if count in (5, 10) or count % 20 == 0:
        log.warning("%s: %s has failed %d times in a row: %s", name, key, count, error)
    elif count > 1 or getattr(error, "code", 500) in (404, 409):
        log.debug("%s: %s: %s", name, key, error)
    elif hasattr(error, "status"):
        log.info("%s: %s: %s", name, key, error)
    else:
        log.error("%s: %s failed", name, key, exc_info=error if isinstance(error, Exception) else None)
