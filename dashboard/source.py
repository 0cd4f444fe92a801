"""What the dashboard reads of one cluster: its cache, registry and authoriser, and the events of the cache on this loop.

    source = await sources.get("local")
    end = source.listen(callback)        # callback(events) on the event loop, in revision order

There is deliberately nothing here that writes: the store is only handed on as `ChangeLog`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from cluster import memory
from cluster.authz import Authorizer
from cluster.cache import Cache, Event
from cluster.store import Change, Key, Store
from kube import registry

CRDS = "customresourcedefinitions.apiextensions.k8s.io"
Listener = Callable[[Sequence[Event]], None]
T = TypeVar("T")


class ChangeLog:
    """The readable side of a cluster's log."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, key: Key, limit: int) -> list[Change]:
        """The newest changes of one object, newest first. Blocking."""
        return self._store.history(key, limit)

    def recent(self, limit: int) -> list[Change]:
        """Up to `limit` of the newest changes of the whole cluster that the log still has, oldest first. Blocking."""
        start = max(self._store.revision() - limit, self._store.compacted())
        return self._store.changes_since(start, limit)


class Source:
    """One cluster as this process sees it; made on the event loop that its listeners run on."""

    def __init__(self, name: str, number: int, local: bool = True) -> None:
        store = Store.of(number)
        self.name, self.number, self.local = name, number, local
        self.cache = Cache(store)
        self.log = ChangeLog(store)
        self.registry = registry.of_cluster(number)
        self.authorizer = Authorizer(self.cache)
        self.loop = asyncio.get_running_loop()
        self._listeners: set[Listener] = set()
        self._follower: Any = None

    def start(self) -> None:
        """Load the cluster's state and follow it. Blocking: run it in a thread."""
        self.cache.start()
        if self.cache.count(CRDS):
            self._follow_definitions()
        self.cache.subscribe(self._arrived)
        memory.settle()

    def _follow_definitions(self) -> None:
        # Schemas take memory: they are loaded when the first custom kind is there.
        from cluster.customkinds import Follower

        self._follower = Follower(self.registry, self.cache)
        self._follower.start()

    def close(self) -> None:
        self.cache.close()
        if self._follower is not None:
            self._follower.close()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` on the event loop with every batch of events; returns what ends it."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def _arrived(self, events: Sequence[Event]) -> None:
        # Runs in the cache's thread, under its lock: hand over and return.
        if self._follower is None and any(event.key.storage == CRDS for event in events):
            self._follow_definitions()
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._deliver, events)

    def _deliver(self, events: Sequence[Event]) -> None:
        for listener in list(self._listeners):
            listener(events)

    def kind(self, storage: str) -> registry.Kind | None:
        return self.registry.by_storage(storage)


class Sources:
    """The clusters of this process by name; each is loaded when it is first asked for."""

    def __init__(self) -> None:
        self._found: dict[str, asyncio.Task[Source]] = {}

    async def names(self) -> list[str]:
        """The clusters of this installation; the local one first."""
        from cluster.models import Cluster  # late: a model needs Django set up, and tests import this module before

        rows = [row async for row in Cluster.objects.order_by("id").values_list("name", flat=True)]
        return rows or ["local"]

    async def get(self, name: str) -> Source:
        """The source of a cluster; raises KeyError when there is no cluster of that name."""
        task = self._found.get(name)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = self._found[name] = asyncio.create_task(self._open(name))
        try:
            return await asyncio.shield(task)
        except BaseException:
            if task.done() and (task.cancelled() or task.exception()):
                self._found.pop(name, None)
            raise

    async def _open(self, name: str) -> Source:
        from cluster.models import Cluster  # late, as above

        found = await Cluster.objects.filter(name=name).values_list("id", "mode").afirst()
        if found is None:
            raise KeyError(f"there is no cluster named {name!r}")
        source = Source(name, int(found[0]), found[1] == Cluster.LOCAL)
        await asyncio.to_thread(source.start)
        return source

    def close(self) -> None:
        """Close the clusters loaded so far, and forget them: what asks for one again gets a new one."""
        for source in self.opened():
            source.close()
        self._found.clear()

    def opened(self) -> list[Source]:
        """The clusters loaded so far."""
        return [t.result() for t in self._found.values() if t.done() and not t.cancelled() and not t.exception()]


sources = Sources()


class PerSource(Generic[T]):
    """One `make(source)` a cluster, made when it is first asked for, and again for a source that took another's place."""

    def __init__(self, make: Callable[[Source], T]) -> None:
        self._make = make
        self._made: dict[str, tuple[Source, T]] = {}

    def __call__(self, source: Source) -> T:
        of, made = self._made.get(source.name, (None, None))
        if made is None or of is not source:
            made = self._make(source)
            self._made[source.name] = source, made
        return made
