"""Feeds of pages that show one document: the overview, and an object. A document is sent whole, when it may have changed.

A feed has `interval` (the least seconds between two sends), `offer(events)` and `frames()`, as `lists.ListFeed` has.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson

from cluster import rbac
from cluster.cache import Event
from cluster.store import Key
from dashboard import objects, overview
from dashboard.access import Access
from dashboard.lists import ListFeed
from dashboard.source import CRDS
from kube.objects import Json

RIGHTS = frozenset(rbac.STORAGES)


def key_of(value: Any) -> Key:
    """A key from what a browser sent: `[storage, namespace, name]`; raises ValueError."""
    if not (isinstance(value, list) and len(value) == 3 and all(isinstance(v, str) and len(v) < 300 for v in value)):
        raise ValueError("a key is a list of storage, namespace and name")
    return Key(*value)


class OverviewFeed:
    """The overview, of all namespaces or those in `ns`."""

    interval = 0.25

    def __init__(self, access: Access, number: int, ask: Json) -> None:
        self.access, self.number = access, number
        self.namespaces = frozenset(filter(None, str(ask.get("ns") or "").split(","))) or None
        if self.namespaces and not any(access.can_list(s, ns) for s in overview.JUDGED for ns in self.namespaces):
            raise PermissionError(f"you may see nothing in {', '.join(sorted(self.namespaces))}")
        self.last = b""

    def offer(self, events: Sequence[Event]) -> bool:
        return True

    async def frames(self) -> AsyncIterator[bytes]:
        tally = await overview.tally_of(self.access.source)
        body = orjson.dumps(overview.document(tally, self.access, self.namespaces))
        if body != self.last:
            self.last = body
            yield b'{"t":"doc","id":%d,"doc":%b}' % (self.number, body)

    def close(self) -> None:
        self.last = b""


class ObjectFeed:
    """One object with its family and events; sent again when one of them changes."""

    interval = 0.1

    def __init__(self, access: Access, number: int, ask: Json) -> None:
        self.access, self.number, self.key = access, number, key_of(ask.get("key"))
        if access.source.kind(self.key.storage) is None:
            raise LookupError(f"there is no kind {self.key.storage!r} in this cluster")
        if not access.can_get(self.key):
            raise PermissionError(f"you may not get {self.key.storage} {self.key.name}")
        self.family: set[str] = set()
        self.keys: set[Key] = set()
        self.last = b""

    def offer(self, events: Sequence[Event]) -> bool:
        return any(self._concerns(event) for event in events)

    def _concerns(self, event: Event) -> bool:
        key, entry = event.key, event.entry
        if key == self.key or key in self.keys or key.storage in RIGHTS:
            return True
        if key.storage == "events":
            return self.key.name.encode() in entry.body
        if any(owner.uid in self.family for owner in entry.owners):
            return True
        # Pods come and go on a node, and under a service's selector.
        return key.storage == "pods" and (
            (self.key.storage == "nodes" and entry.node == self.key.name)
            or (self.key.storage == "services" and key.namespace == self.key.namespace)
        )

    async def frames(self) -> AsyncIterator[bytes]:
        if not self.access.can_get(self.key):
            yield orjson.dumps({"t": "error", "id": self.number, "code": 403, "message": "You may no longer see this."})
            return
        found = objects.document(self.access, self.key)
        if found is not None:
            self.family = {found["object"]["metadata"].get("uid", "")} - {""}
            briefs = [*found["owners"], *(item for group in found["related"] for item in group["items"])]
            self.keys = {Key(*b["key"]) for b in briefs if b["key"]}
            self._descend(found["children"]["nodes"])
        body = orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS)
        if body != self.last:
            self.last = body
            yield b'{"t":"doc","id":%d,"doc":%b}' % (self.number, body)

    def _descend(self, nodes: list[Json]) -> None:
        for node in nodes:
            key = Key(*node["key"])
            self.keys.add(key)
            entry = self.access.source.cache.get(key)
            if entry is not None:
                self.family.add(entry.meta.uid)
            self._descend(node["children"])

    def close(self) -> None:
        self.keys.clear()


class KindsFeed:
    """All kinds the user may list, with counts; and the namespaces that exist: the page's navigation."""

    interval = 1.0

    def __init__(self, access: Access, number: int, ask: Json) -> None:
        self.access, self.number, self.last = access, number, b""
        self.counts: dict[str, int] = {}

    def offer(self, events: Sequence[Event]) -> bool:
        return any(
            event.type != "MODIFIED" or event.key.storage in RIGHTS or event.key.storage == CRDS for event in events
        )

    async def frames(self) -> AsyncIterator[bytes]:
        access, cache = self.access, self.access.source.cache
        kinds: dict[str, Json] = {}
        for kind in access.source.registry.all():
            if kind.storage in kinds or "list" not in kind.verbs:
                continue
            kind = access.source.kind(kind.storage) or kind
            scope = access.scope(kind)
            if scope is None:
                count = cache.count(kind.storage)
            elif scope:
                count = sum(len(cache.list(kind.storage, one)) for one in scope)
            else:
                continue
            kinds[kind.storage] = {
                "storage": kind.storage,
                "kind": kind.kind,
                "plural": kind.plural,
                "group": kind.group,
                "version": kind.version,
                "namespaced": kind.namespaced,
                "short": kind.short_names,
                "count": count,
            }
        namespaces = [entry.key.name for entry in cache.list("namespaces")]
        if not access.can_list("namespaces"):
            namespaces = [name for name in namespaces if access.can_list("pods", name)]
        body = orjson.dumps({"kinds": list(kinds.values()), "namespaces": namespaces})
        if body != self.last:
            self.last = body
            yield b'{"t":"doc","id":%d,"doc":%b}' % (self.number, body)
        await asyncio.sleep(0)

    def close(self) -> None:
        self.last = b""


FEEDS: dict[str, Any] = {"list": ListFeed, "overview": OverviewFeed, "object": ObjectFeed, "kinds": KindsFeed}
