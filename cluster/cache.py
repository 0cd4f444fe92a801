"""The only read model: every object as JSON bytes, with a small typed view and indexes, kept current from the log.

A process that reads holds one `Cache` per cluster. Its thread follows the log: a hint from Redis wakes it, a timer wakes
it anyway. `refresh()` reads to the newest committed revision at once, so that a reader sees every acknowledged write, of
any process. Writes made by this process arrive without a read.

Subscribers are called in revision order, one batch of events at a time, under the cache's lock: they must be quick, and a
lock that they take must not be held by who reads the cache.
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_left, insort
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice, takewhile
from typing import NamedTuple

import msgspec
import orjson

from cluster import hints
from cluster.store import Change, Key, Store, Stored
from kube.errors import Gone
from kube.objects import Json

log = logging.getLogger(__name__)

LOG_EVENTS = 20_000  # recent events kept in memory for watches; older ones are read from the store
POLL = 1.0  # seconds between looks at the log when no hint comes


class Owner(msgspec.Struct, frozen=True, gc=False):
    """An owner reference."""

    uid: str = ""
    kind: str = ""
    name: str = ""
    apiVersion: str = ""
    controller: bool = False
    blockOwnerDeletion: bool = False


class Metadata(msgspec.Struct, frozen=True, gc=False):
    """What readers look at without decoding an object."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    labels: dict[str, str] | None = None
    finalizers: list[str] | None = None
    ownerReferences: list[Owner] | None = None
    creationTimestamp: str | None = None
    deletionTimestamp: str | None = None


class Spec(msgspec.Struct, frozen=True, gc=False):
    nodeName: str | None = None


class View(msgspec.Struct, frozen=True, gc=False):
    metadata: Metadata


class PodView(msgspec.Struct, frozen=True, gc=False):
    metadata: Metadata
    spec: Spec = Spec()


_decode_view = msgspec.json.Decoder(View).decode
_decode_pod = msgspec.json.Decoder(PodView).decode


def _view(key: Key, body: bytes) -> tuple[Metadata, str]:
    """The metadata, and the node of a pod. An object with odd metadata is kept with its name only: the log goes on."""
    try:
        if key.storage == "pods":
            pod = _decode_pod(body)
            return pod.metadata, pod.spec.nodeName or ""
        return _decode_view(body).metadata, ""
    except msgspec.ValidationError as error:
        log.warning("%s: metadata that cannot be read: %s", "/".join(key), error)
        return Metadata(name=key.name, namespace=key.namespace), ""


class Entry:
    """One object: its key, revision and JSON `body`, and the parts that indexes need."""

    __slots__ = ("body", "key", "meta", "node", "revision")

    def __init__(self, key: Key, revision: int, body: bytes) -> None:
        self.key, self.revision, self.body = key, revision, body
        self.meta, self.node = _view(key, body)

    @property
    def labels(self) -> dict[str, str]:
        return self.meta.labels or {}

    @property
    def owners(self) -> list[Owner]:
        return self.meta.ownerReferences or []

    @property
    def controller(self) -> Owner | None:
        """The owner that manages the object."""
        return next((owner for owner in self.owners if owner.controller), None)

    def object(self) -> Json:
        """The object decoded afresh: the caller may change it."""
        obj: Json = orjson.loads(self.body)
        return obj

    def shared(self) -> Json:
        """The object decoded once for many readers, who must not change it: for the few that every write looks at."""
        return _shared(self.body)


@lru_cache(maxsize=256)
def _shared(body: bytes) -> Json:
    obj: Json = orjson.loads(body)
    return obj


class Event(NamedTuple):
    """One change: ADDED, MODIFIED or DELETED. `entry` is the state after (for DELETED the last), `previous` before."""

    type: str
    entry: Entry
    previous: Entry | None
    at: float = 0.0

    @property
    def key(self) -> Key:
        return self.entry.key

    @property
    def revision(self) -> int:
        return self.entry.revision


Subscriber = Callable[[Sequence[Event]], None]
Entries = list[Entry]
Events = list[Event]


class _Table:
    """The objects of one storage: by key, and in key order from the first time that somebody asks for that."""

    __slots__ = ("entries", "order")

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], Entry] = {}
        self.order: list[tuple[str, str]] | None = None

    def put(self, entry: Entry) -> Entry | None:
        place = entry.key[1:]
        previous = self.entries.get(place)
        if previous is None and self.order is not None:
            insort(self.order, place)
        self.entries[place] = entry
        return previous

    def pop(self, key: Key) -> Entry | None:
        previous = self.entries.pop(key[1:], None)
        if previous is not None and self.order is not None:
            del self.order[bisect_left(self.order, key[1:])]
        return previous

    def sorted(self) -> list[tuple[str, str]]:
        if self.order is None:
            self.order = sorted(self.entries)
        return self.order


class Cache:
    """See the module's docstring. `storages` limits what is held (None: everything); `history` is how many recent events
    `events_since` can give without the store (a process that serves no watches needs none)."""

    def __init__(self, store: Store, storages: Iterable[str] | None = None, history: int = LOG_EVENTS) -> None:
        self.store = store
        self.storages = None if storages is None else tuple(storages)
        self.revision = 0
        self._mark: int | None = None  # `Database.mark` before the last look
        self.checked = 0.0  # time.monotonic() of the last successful look at the log: the age of what is read here
        self.lock = threading.RLock()
        self._tables: defaultdict[str, _Table] = defaultdict(_Table)
        self._owners: defaultdict[str, dict[Key, Entry]] = defaultdict(dict)
        self._nodes: defaultdict[str, dict[Key, Entry]] = defaultdict(dict)
        self._log: deque[Event] = deque(maxlen=history)
        self._log_start = 0  # the log holds every event after this revision
        self._subscribers: list[Subscriber] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        store.on_commit(self._committed)

    # -- following the log -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Load the newest state, then follow the log in a thread until `close`."""
        self.refresh()
        self._thread = threading.Thread(target=self._follow, name="cache", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(POLL + 1)

    def subscribe(self, subscriber: Subscriber, replay: bool = False) -> Callable[[], None]:
        """Call `subscriber(events)` for each batch from now on; returns a function that ends it.

        With `replay`, it is called first with an ADDED event for every object held.
        """
        with self.lock:
            if replay:
                subscriber(
                    [Event("ADDED", entry, None) for table in self._tables.values() for entry in table.entries.values()]
                )
            self._subscribers.append(subscriber)

        def end() -> None:
            with self.lock:
                if subscriber in self._subscribers:
                    self._subscribers.remove(subscriber)

        return end

    def refresh(self) -> int:
        """Read the log to its newest revision; returns that. Cheap when nothing is new."""
        mark = self.store.database.mark
        return self.revision if mark is not None and mark == self._mark else self._refresh(mark)

    def _refresh(self, mark: int | None) -> int:
        """Ask the database; `mark` was read before."""
        newest = self.store.revision()
        if newest > self.revision or not self.checked:
            with self.lock:
                self._catch_up(newest)
        self.checked, self._mark = time.monotonic(), mark
        return self.revision

    def _catch_up(self, newest: int) -> None:
        if not self.checked:
            self._reload()
        while self.revision < newest:
            try:
                changes = self.store.changes_since(self.revision, 5_000, self.storages)
            except Gone:
                self._reload()
                return
            if changes:
                self._apply(changes)
            if len(changes) < 5_000:
                # What remains up to `newest` belongs to other clusters or storages.
                self.revision = max(self.revision, newest)

    def _committed(self, before: int, changes: list[Change]) -> None:
        """Take over this process's own commit when it follows directly on what is held; else the log is read."""
        with self.lock:
            if not self.checked:
                return
            if before == self.revision:
                wanted = self.storages
                self._apply([c for c in changes if wanted is None or c.key.storage in wanted])
                self.revision = changes[-1].revision
                mark = self.store.mark
                if mark is not None and self._mark == mark - 1:  # nobody else wrote in between
                    self._mark = mark
            elif changes[-1].revision > self.revision:
                self._catch_up(changes[-1].revision)

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except Exception as error:  # Redis or the database is away: look again in a moment, by the timer
                log.debug("following the log: %s", error)
                self._stop.wait(0.2)
                self._look()

    def _look(self) -> None:
        try:
            self._refresh(self.store.database.mark)
        except Exception as error:  # `checked` stays behind, which readers of `age` see
            log.warning("the store cannot be read: %s", error)

    def _listen(self) -> None:
        client = hints.connect(timeout=5)
        if client is None:
            self._stop.wait(POLL / 20)
            self._look()
            return
        with client, client.pubsub(ignore_subscribe_messages=True) as pubsub:
            pubsub.subscribe(hints.channel(self.store.cluster))
            while not self._stop.is_set():
                self._look()
                if pubsub.get_message(timeout=POLL):
                    # One look serves all the hints that came meanwhile.
                    while pubsub.get_message(timeout=0):
                        pass

    @property
    def age(self) -> float:
        """Seconds since the log was last read successfully."""
        return time.monotonic() - self.checked if self.checked else float("inf")

    # -- applying ----------------------------------------------------------------------------------------------------

    def _apply(self, changes: Sequence[Change]) -> None:
        events = [self._change(change) for change in changes]
        if not events:
            return
        self.revision = events[-1].revision
        self._remember(events)
        self._notify(events)

    def _remember(self, events: Sequence[Event]) -> None:
        overflow = len(self._log) + len(events) - (self._log.maxlen or 0)
        if overflow > 0:
            dropped = list(islice(self._log, min(overflow, len(self._log)))) or events[:overflow]
            self._log_start = dropped[-1].revision
        self._log.extend(events)

    def _notify(self, events: Sequence[Event]) -> None:
        for subscriber in list(self._subscribers):
            try:
                subscriber(events)
            except Exception:  # one reader's fault must not stop the others, nor the log
                log.exception("a subscriber of the cache failed")

    def _change(self, change: Change) -> Event:
        entry = Entry(change.key, change.revision, change.body)
        if change.type == "DELETED":
            previous = self._remove(change.key)
        else:
            previous = self._put(entry)
        return Event(change.type, entry, previous, change.at)

    def _put(self, entry: Entry) -> Entry | None:
        previous = self._tables[entry.key.storage].put(entry)
        if previous is not None:
            self._unindex(previous)
        for owner in entry.owners:
            self._owners[owner.uid][entry.key] = entry
        if entry.node:
            self._nodes[entry.node][entry.key] = entry
        return previous

    def _remove(self, key: Key) -> Entry | None:
        previous = self._tables[key.storage].pop(key)
        if previous is not None:
            self._unindex(previous)
        return previous

    def _unindex(self, entry: Entry) -> None:
        for owner in entry.owners:
            _drop(self._owners, owner.uid, entry.key)
        if entry.node:
            _drop(self._nodes, entry.node, entry.key)

    def _reload(self) -> None:
        """Replace everything by a snapshot; subscribers see the differences as events."""
        revision, rows = self.store.snapshot(self.storages)
        events = list(self._differences(rows))
        self.revision = revision
        self.checked = time.monotonic()
        # What happened in between is not known one by one: a watch from before must start anew.
        self._log.clear()
        self._log_start = revision
        if events:
            self._notify(events)

    def _differences(self, rows: Iterable[Stored]) -> Iterator[Event]:
        held = {Key(storage, *place) for storage, table in self._tables.items() for place in table.entries}
        for row in rows:
            held.discard(row.key)
            present = self.get(row.key)
            if present is None or present.revision != row.revision:
                entry = Entry(row.key, row.revision, row.body)
                previous = self._put(entry)
                yield Event("MODIFIED" if previous else "ADDED", entry, previous)
        for key in held:
            gone = self._remove(key)
            if gone is not None:
                yield Event("DELETED", gone, gone)

    # -- reading -----------------------------------------------------------------------------------------------------

    def get(self, key: Key) -> Entry | None:
        table = self._tables.get(key.storage)
        return table.entries.get((key.namespace, key.name)) if table else None

    def list(self, storage: str, namespace: str | None = None) -> Entries:
        """The objects of a storage (of one namespace), in key order."""
        table = self._tables.get(storage)
        if table is None:
            return []
        with self.lock:
            order, entries = table.sorted(), table.entries
            if namespace is not None:
                order = order[bisect_left(order, (namespace, "")) : bisect_left(order, (namespace + "\0", ""))]
            return [entries[place] for place in order]

    def count(self, storage: str) -> int:
        table = self._tables.get(storage)
        return len(table.entries) if table else 0

    def stored(self) -> Sequence[str]:
        """The storages that hold at least one object."""
        with self.lock:
            return [storage for storage, table in self._tables.items() if table.entries]

    def by_owner(self, uid: str) -> Entries:
        """The objects with an owner reference to `uid`."""
        with self.lock:
            return [*self._owners.get(uid, {}).values()]

    def by_node(self, node: str) -> Entries:
        """The pods bound to a node."""
        with self.lock:
            return [*self._nodes.get(node, {}).values()]

    def select(self, storage: str, namespace: str | None, matches: Callable[[dict[str, str]], bool]) -> Entries:
        """The objects whose labels satisfy `matches`."""
        return [entry for entry in self.list(storage, namespace) if matches(entry.labels)]

    def list_at(self, storage: str, namespace: str | None, revision: int) -> Entries | None:
        """The objects of a storage as they were at a revision, in key order; None where memory does not reach back so far."""
        with self.lock:
            newer = self.events_since(revision)
            if newer is None:
                return None
            # What the first change since then replaced: nothing, where that made the object.
            before = {e.key: e.previous for e in reversed(newer) if e.key.storage == storage}
            now = self.list(storage, namespace)
        if not before:
            return now
        then = [entry for entry in now if entry.key not in before]
        then += [entry for entry in before.values() if entry is not None and namespace in (None, entry.key.namespace)]
        return sorted(then, key=lambda entry: entry.key)

    def events_since(self, revision: int) -> Events | None:
        """The events after a revision, None when memory does not reach back so far (the store's log may)."""
        with self.lock:
            if revision < self._log_start:
                return None
            newer = list(takewhile(lambda event: event.revision > revision, reversed(self._log)))
            newer.reverse()
            return newer


def _drop(index: defaultdict[str, dict[Key, Entry]], value: str, key: Key) -> None:
    found = index.get(value)
    if found is not None:
        found.pop(key, None)
        if not found:
            del index[value]
