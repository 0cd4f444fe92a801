"""Event objects ("what happened to this object"), recorded as client-go does it, off the path of the caller.

    recorder = Recorder("deployment-controller")
    recorder.event(session, deployment, "Normal", "ScalingReplicaSet", "Scaled up …")

What is counted, combined or dropped as spam `kube.events` decides. Events are written in batches by a thread, at a pace
that leaves the machine to what they tell of; when more than `QUEUE` wait, the oldest are dropped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from cluster.store import Key
from kube import clock
from kube.errors import ApiError
from kube.events import MESSAGE_LIMIT, Correlator, Happening, Series, event, reference
from kube.objects import Json

if TYPE_CHECKING:
    from cluster.store import Store
    from cluster.verbs import Session

log = logging.getLogger(__name__)


QUEUE = 10_000  # events that may wait to be written
GATHER_SECONDS = 0.02  # how long a batch is gathered before it is written
BATCH, PAUSE_SECONDS = 200, 0.2  # events of one commit, and the pause after it when more wait
COMPLAIN_SECONDS = 10.0  # between two log lines about dropped events


class _Sink:
    """The queue and the thread that writes it; one per process."""

    def __init__(self) -> None:
        self._queue: deque[tuple[Session, Happening]] = deque(maxlen=QUEUE)
        self._correlators: WeakKeyDictionary[Store, Correlator] = WeakKeyDictionary()
        self._dropped = 0
        self._complained = 0.0
        self._wanted = threading.Event()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, session: Session, happening: Happening) -> None:
        if len(self._queue) == QUEUE:
            self._dropped += 1
        self._queue.append((session, happening))
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="events", daemon=True)
            self._thread.start()
        self._wanted.set()

    def flush(self, most: int = QUEUE) -> None:
        """Write what waits, the oldest first."""
        self._complain()
        with self._writing:
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), most))]
            for store, session in {session.store: session for session, _ in batch}.items():
                correlator = self._correlators.setdefault(store, Correlator())
                found = (correlator.correlate(item) for owner, item in batch if owner.store is store)
                try:
                    _write(session, [item for item in found if item is not None])
                except ApiError as error:  # its store is closed, or has too much to do; others' is not lost with it
                    log.warning("events could not be written: %s", error)

    def _complain(self) -> None:
        """Say how many events were dropped, once for many of them."""
        if self._dropped and time.monotonic() - self._complained > COMPLAIN_SECONDS:
            dropped, self._dropped, self._complained = self._dropped, 0, time.monotonic()
            log.warning("dropped %d events: more than %d waited to be written", dropped, QUEUE)

    def _run(self) -> None:
        while True:
            if self._queue:
                time.sleep(PAUSE_SECONDS)
            else:
                self._wanted.wait()
                time.sleep(GATHER_SECONDS)
            self._wanted.clear()
            try:
                self.flush(BATCH)
            except Exception:  # events are best effort; the next batch gets its own chance
                log.exception("events could not be written")


_sink = _Sink()


class Recorder:
    """Records events of one component (the `source.component` of its events)."""

    def __init__(self, component: str) -> None:
        self.component = component

    def event(self, session: Session, obj: Json, type: str, reason: str, message: str, field_path: str = "") -> None:
        """Report what happened to `obj` (any object with metadata); `type` is Normal or Warning. Never blocks or fails."""
        about = reference(obj, field_path)
        _sink.put(session, Happening(self.component, about, type, reason, message[:MESSAGE_LIMIT], time.time()))


def flush() -> None:
    """Write all events that wait in this process now."""
    _sink.flush()


def _write(session: Session, items: Iterable[tuple[Happening, Series]]) -> None:
    """Create or count up each series once, all in two commits."""
    latest = {id(series): (happening, series) for happening, series in items}
    creates, updates = [], []
    for happening, series in latest.values():
        namespace = happening.about.get("namespace", "default")
        present = session.cache.get(Key("events", namespace, series.name))
        if present is None:
            creates.append(("events", namespace, event(happening, series)))
        else:
            told = present.object()
            told.update(count=series.count, lastTimestamp=clock.stamp(series.last), message=happening.message)
            updates.append(("events", namespace, told))
    results = session.create_many(creates) if creates else []
    results += session.update_many(updates) if updates else []
    for result in results:
        if isinstance(result, ApiError):  # e.g. the namespace is being deleted
            log.debug("event not written: %s", result)
