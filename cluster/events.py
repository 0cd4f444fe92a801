"""Event objects ("what happened to this object"), recorded as client-go does it, off the path of the caller.

    recorder = Recorder("deployment-controller")
    recorder.event(session, deployment, "Normal", "ScalingReplicaSet", "Scaled up …")

The same event again raises `count` of the object that is there; ten different messages of one reason about one object
within ten minutes become one "(combined from similar events)"; one object gets at most 25 events at once and one more
every five minutes. Events are written in batches by a thread, at a pace that leaves the machine to what they tell of;
when more than `QUEUE` wait, the oldest are dropped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from cluster.store import Key
from kube import clock
from kube.errors import ApiError
from kube.objects import Json

if TYPE_CHECKING:
    from cluster.verbs import Session

log = logging.getLogger(__name__)


QUEUE = 10_000  # events that may wait to be written
MEMORY = 4_096  # objects and messages remembered for correlation
BURST, REFILL_SECONDS = 25, 300.0
SIMILAR, SIMILAR_SECONDS = 10, 600.0
GATHER_SECONDS = 0.02  # how long a batch is gathered before it is written
BATCH, PAUSE_SECONDS = 200, 0.2  # events of one commit, and the pause after it when more wait
COMPLAIN_SECONDS = 10.0  # between two log lines about dropped events
COMBINED = "(combined from similar events): "


class Happening(NamedTuple):
    """One event as reported; `about` is an ObjectReference."""

    component: str
    about: Json
    type: str
    reason: str
    message: str
    at: float


@dataclass
class _Series:
    """One Event object: the first time, the last time and how often."""

    name: str
    first: float
    last: float
    count: int = 0


@dataclass
class _Bucket:
    """Tokens of one object's spam filter."""

    tokens: float
    at: float


@dataclass
class _Similar:
    messages: set[str] = field(default_factory=set)
    at: float = 0.0


class Correlator:
    """Decides what of many happenings is written. Pure: no clock but that of the happenings."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[tuple[str, ...], _Bucket] = OrderedDict()
        self._similar: OrderedDict[tuple[str, ...], _Similar] = OrderedDict()
        self._series: OrderedDict[tuple[str, ...], _Series] = OrderedDict()

    def correlate(self, happening: Happening) -> tuple[Happening, _Series] | None:
        """The happening to write (its message maybe combined) and its series, counted up; None: dropped as spam."""
        source = (happening.component, *_identity(happening.about))
        group = (*source, happening.type, happening.reason)
        message, key = self._aggregate(group, happening)
        if not self._allow(source, happening.at):
            return None
        series = _remember(self._series, key, lambda: _Series(_event_name(happening), happening.at, happening.at))
        series.count, series.last = series.count + 1, happening.at
        return happening._replace(message=message), series

    def _aggregate(self, group: tuple[str, ...], happening: Happening) -> tuple[str, tuple[str, ...]]:
        similar = _remember(self._similar, group, _Similar)
        if happening.at - similar.at > SIMILAR_SECONDS:
            similar.messages = set()
        similar.at = happening.at
        if len(similar.messages) < SIMILAR:
            similar.messages.add(happening.message)
        if len(similar.messages) < SIMILAR:
            return happening.message, (*group, happening.message)
        return COMBINED + happening.message, group

    def _allow(self, source: tuple[str, ...], at: float) -> bool:
        bucket = _remember(self._buckets, source, lambda: _Bucket(BURST, at))
        bucket.tokens = min(bucket.tokens + (at - bucket.at) / REFILL_SECONDS, BURST)
        bucket.at = at
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True


class _Sink:
    """The queue and the thread that writes it; one per process."""

    def __init__(self) -> None:
        self._queue: deque[tuple[Session, Happening]] = deque(maxlen=QUEUE)
        self._correlators: dict[int, Correlator] = {}
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
            for cluster in {session.cluster for session, _ in batch}:
                session = next(session for session, _ in batch if session.cluster == cluster)
                correlator = self._correlators.setdefault(cluster, Correlator())
                found = (correlator.correlate(item) for owner, item in batch if owner.cluster == cluster)
                _write(session, [item for item in found if item is not None])

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
        _sink.put(session, Happening(self.component, about, type, reason, message[:1024], time.time()))


def flush() -> None:
    """Write all events that wait in this process now."""
    _sink.flush()


def reference(obj: Json, field_path: str = "") -> Json:
    """The ObjectReference of an object."""
    meta = obj["metadata"]
    about = {
        "kind": obj.get("kind"),
        "namespace": meta.get("namespace"),
        "name": meta["name"],
        "uid": meta.get("uid"),
        "apiVersion": obj.get("apiVersion"),
        "resourceVersion": meta.get("resourceVersion"),
        "fieldPath": field_path,
    }
    return {name: value for name, value in about.items() if value}


def _write(session: Session, items: Iterable[tuple[Happening, _Series]]) -> None:
    """Create or count up each series once, all in two commits."""
    latest = {id(series): (happening, series) for happening, series in items}
    creates, updates = [], []
    for happening, series in latest.values():
        namespace = happening.about.get("namespace", "default")
        present = session.cache.get(Key("events", namespace, series.name))
        if present is None:
            creates.append(("events", namespace, _event(happening, series, namespace)))
        else:
            event = present.object()
            event.update(count=series.count, lastTimestamp=clock.stamp(series.last), message=happening.message)
            updates.append(("events", namespace, event))
    results = session.create_many(creates) if creates else []
    results += session.update_many(updates) if updates else []
    for result in results:
        if isinstance(result, ApiError):  # e.g. the namespace is being deleted
            log.debug("event not written: %s", result)


def _event(happening: Happening, series: _Series, namespace: str) -> Json:
    return {
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": {"name": series.name, "namespace": namespace},
        "involvedObject": happening.about,
        "reason": happening.reason,
        "message": happening.message,
        "source": {"component": happening.component},
        "firstTimestamp": clock.stamp(series.first),
        "lastTimestamp": clock.stamp(series.last),
        "count": series.count,
        "type": happening.type,
        "eventTime": None,
        "reportingComponent": happening.component,
        "reportingInstance": "",
    }


def _event_name(happening: Happening) -> str:
    return f"{happening.about['name'][:230]}.{int(happening.at * 1e9) + _next_serial():016x}"


def _next_serial() -> int:
    """Keeps names apart that are made within one tick of the clock."""
    global _serial
    _serial = (_serial + 1) % 1000
    return _serial


_serial = 0


def _identity(about: Json) -> tuple[str, ...]:
    return tuple(about.get(name, "") for name in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath"))


def _remember(memory: OrderedDict[tuple[str, ...], Any], key: tuple[str, ...], make: Any) -> Any:
    """Get or make an entry of a bounded memory that forgets what was not used longest."""
    found = memory.get(key)
    if found is None:
        found = memory[key] = make()
        if len(memory) > MEMORY:
            memory.popitem(last=False)
    memory.move_to_end(key)
    return found
