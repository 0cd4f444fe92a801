"""The hub of all watches of a process: each event is encoded once per representation and handed to every watcher.

The cache calls in its own threads; the hub hops to the event loop, so that watchers are touched by one thread only. A
watcher that does not keep up is cut: its client resumes from the last revision it saw.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import orjson

from apiserver import converting, metrics, partial, render, table
from apiserver.negotiation import View
from cluster.cache import Cache, Entry, Event
from cluster.verbs.select import Match
from kube.crd.conversion import TOGETHER
from kube.errors import ApiError
from kube.registry import Kind

if TYPE_CHECKING:
    from apiserver.fairness.accounts import Account

MAX_PENDING = 8 * 1024 * 1024  # bytes that wait for a slow client before it is cut
CHUNK = 64 * 1024  # bytes of events that are handed on at once
_PREFIX = {t: f'{{"type":"{t}","object":'.encode() for t in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR")}


class Watcher:
    """One watch: what it wants to see, and what waits to be sent."""

    __slots__ = (
        "_wake",
        "account",
        "bound",
        "encode",
        "kind",
        "matches",
        "namespace",
        "overrun",
        "pending",
        "since",
        "size",
        "stalled",
        "view",
    )

    def __init__(
        self, kind: Kind, namespace: str | None, matches: Match | None, view: View, include: str, since: int
    ) -> None:
        self.kind, self.namespace, self.matches, self.view, self.since = kind, namespace, matches, view, since
        self.encode = encoder(kind, view, include)
        self.pending: deque[bytes] = deque()
        self.size = 0
        self.overrun = False
        self._wake = asyncio.Event()
        self.account: Account | None = None
        self.bound = MAX_PENDING
        self.stalled: Callable[[], None] = _nothing

    def belong(self, account: Account, bound: int, stalled: Callable[[], None]) -> None:
        """What waits here counts among what waits for a user, at most `bound` bytes; `stalled` ends a connection unread."""
        self.account, self.bound, self.stalled = account, bound, stalled
        account.watchers.add(self)

    def offer(self, event: Event, cached: dict[object, bytes]) -> None:
        """Queue the event if the watch is about it."""
        if event.revision <= self.since or self.overrun:
            return
        if self.namespace is not None and event.key.namespace != self.namespace:
            return
        self.since = event.revision
        seen = self.seen_as(event)
        if seen is not None:
            kind, entry, revision = seen
            key = (self.kind, self.view, kind, entry.revision, revision)
            line = cached.get(key)
            if line is None:
                line = cached[key] = self.line(kind, entry, revision)
            self.put(line)

    def seen_as(self, event: Event) -> tuple[str, Entry, int] | None:
        """How an event looks through the selector: (type, state to show, revision), None if it does not show."""
        if self.matches is None:
            return event.type, event.entry, event.revision
        now = event.type != "DELETED" and self.matches(event.entry)
        before = event.previous if event.type != "ADDED" else None
        was = before is not None and self.matches(before)
        if now:
            return ("MODIFIED" if was else "ADDED"), event.entry, event.revision
        if was and before is not None:
            # It left the selection: shown for the last time as it was inside, or as it ended.
            return "DELETED", event.entry if event.type == "DELETED" else before, event.revision
        return None

    def line(self, kind: str, entry: Entry, revision: int = 0) -> bytes:
        """One event, encoded; with `revision`, the object shows that one."""
        body = entry.body
        if revision and revision != entry.revision:
            # What a webhook was asked for beforehand is the object as it is stored.
            obj = orjson.loads(render.versioned(self.kind, body) if self.kind.convert else body)
            obj["metadata"]["resourceVersion"] = str(revision)
            body = orjson.dumps(obj)
        return b"".join((_PREFIX[kind], self.encode(body), b"}\n"))

    def put(self, line: bytes) -> None:
        if self.overrun:
            return
        if self.size + len(line) > MAX_PENDING:
            self.cut()
            return
        self.pending.append(line)
        self._grow(len(line))
        self._wake.set()
        if self.account is not None and self.account.bytes > self.bound:
            max(self.account.watchers, key=lambda one: one.size).cut()

    def _grow(self, size: int) -> None:
        self.size += size
        if self.account is not None:
            self.account.bytes += size

    def cut(self) -> None:
        """It does not keep up: what waits is given back, and the watch ends."""
        metrics.CUT.values[(self.kind.group, self.kind.plural)] += 1
        self.overrun = True
        self.drop()
        self._wake.set()
        self.stalled()

    def drop(self) -> None:
        """Nothing waits here any more."""
        self.pending.clear()
        self._grow(-self.size)

    async def take(self) -> bytes:
        """What waits, joined, the first of it where it is much; empty when `wake` was called for another reason."""
        if not self.pending and not self.overrun:
            await self._wake.wait()
        self._wake.clear()
        if self.size <= CHUNK:
            chunk = b"".join(self.pending)
            self.drop()
            return chunk
        lines, size = [], 0
        while self.pending and size < CHUNK:
            lines.append(self.pending.popleft())
            size += len(lines[-1])
        self._grow(-size)
        return b"".join(lines)

    def wake(self) -> None:
        self._wake.set()


def _nothing() -> None:
    """No connection is known."""


def encoder(kind: Kind, view: View, include: str) -> Callable[[bytes], bytes]:
    """From a stored body to the object of an event."""
    if view.transform == "Table":
        first = [False]

        def as_table(body: bytes) -> bytes:
            obj = kind.from_storage(orjson.loads(body))
            made = table.of_object(kind, obj, view.version, include, headless=first[0])
            first[0] = True
            return orjson.dumps(made)

        return as_table
    if view.transform:
        return lambda body: orjson.dumps(partial.of_object(orjson.loads(body), view.version))
    return lambda body: render.versioned(kind, body)


class Hub:
    """All watchers of this process, by storage."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self._watchers: defaultdict[str, set[Watcher]] = defaultdict(set)
        self._waiting: defaultdict[str, deque[Event]] = defaultdict(deque)
        self._tasks: dict[str, asyncio.Future[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to hand out events; in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._end = self.cache.subscribe(self._arrived)

    def stop(self) -> None:
        """End every watch."""
        if self._end:
            self._end()
        for storage in self._watchers:
            self._cut(storage)

    def end(self, storage: str) -> None:
        """End the watches of a kind that is served no longer as it was; from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cut, storage)

    def _cut(self, storage: str) -> None:
        for watcher in self._watchers.get(storage, ()):
            watcher.overrun = True
            watcher.wake()

    @property
    def count(self) -> int:
        return sum(map(len, self._watchers.values()))

    def add(self, watcher: Watcher) -> None:
        self._watchers[watcher.kind.storage].add(watcher)

    def remove(self, watcher: Watcher) -> None:
        self._watchers[watcher.kind.storage].discard(watcher)
        watcher.drop()
        if watcher.account is not None:
            watcher.account.watchers.discard(watcher)

    def _arrived(self, events: Sequence[Event]) -> None:
        watched = [event for event in events if self._watchers.get(event.key.storage)]
        if watched and self._loop is not None:
            self._loop.call_soon_threadsafe(self._deliver, watched)

    def _deliver(self, events: Sequence[Event]) -> None:
        for event in events:
            storage = event.key.storage
            if any(watcher.kind.convert for watcher in self._watchers.get(storage, ())):
                self._queue(event)
            else:
                self._offer(event)

    def _offer(self, event: Event) -> None:
        cached: dict[object, bytes] = {}
        for watcher in list(self._watchers.get(event.key.storage, ())):
            watcher.offer(event, cached)

    def _queue(self, event: Event) -> None:
        """An event of a kind with a webhook: those of one kind are told in order, as fast as the webhook answers."""
        storage = event.key.storage
        waiting = self._waiting[storage]
        waiting.append(event)
        if storage not in self._tasks:
            self._tasks[storage] = asyncio.ensure_future(self._convert(storage, waiting))
            self._tasks[storage].add_done_callback(lambda _: self._tasks.pop(storage, None))

    async def _convert(self, storage: str, waiting: deque[Event]) -> None:
        while waiting:
            batch = [waiting.popleft() for _ in range(min(len(waiting), TOGETHER))]
            entries = {id(e): e for event in batch for e in (event.entry, event.previous) if e is not None}
            for kind in {watcher.kind for watcher in self._watchers.get(storage, ())}:
                try:
                    await converting.prepare(kind, list(entries.values()))
                except ApiError as error:
                    self._fail(kind, error)
            for event in batch:
                self._offer(event)

    def _fail(self, kind: Kind, error: ApiError) -> None:
        """The webhook of a kind does not answer: its watches end with the reason, and their clients begin anew."""
        for watcher in self._watchers.get(kind.storage, ()):
            if watcher.kind is kind:
                watcher.put(b'{"type":"ERROR","object":' + orjson.dumps(error.status()) + b"}\n")
                watcher.overrun = True
                watcher.wake()
