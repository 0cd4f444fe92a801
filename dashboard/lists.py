"""A list page's feed: all rows in slices, then what changes, filtered by right, namespace and label selector.

The feed is bounded: at most MAX_ROWS rows, and changes that wait for a slow browser collapse per object.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson

from cluster import rbac
from cluster.cache import Cache, Entry, Event
from cluster.store import Key
from dashboard.access import Access, Scope, within
from dashboard.rows import WORKLOADS, Rows, WorkloadRows, workload_header
from kube.registry import Kind
from kube.selectors import parse_labels

MAX_ROWS = 50_000
FIRST_SLICE, SLICE = 120, 2_500
BREATH = 200  # rows encoded between two looks at what else there is to do
MAX_RESUME = 5_000
RIGHTS = frozenset(rbac.STORAGES) | {"namespaces"}


class Boards:
    """The row encoders of one cluster, shared by its viewers. A few that nobody looks at are kept: viewers come back."""

    IDLE = 10

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self._boards: dict[tuple[str, bool], tuple[Rows, int]] = {}

    def take(self, kind: Kind, together: bool) -> Rows:
        rows, users = self._boards.pop((kind.storage, together), (None, 0))
        if rows is None or rows.kind is not kind:
            rows = (WorkloadRows if together else Rows)(kind, self.cache)
        elif not users:
            rows.prune(self.cache)
        self._boards[kind.storage, together] = (rows, users + 1)
        return rows

    def give_back(self, kind: Kind, together: bool) -> None:
        rows, users = self._boards.pop((kind.storage, together), (None, 0))
        if rows is None:
            return
        self._boards[kind.storage, together] = (rows, max(0, users - 1))
        idle = [place for place, (_, users) in self._boards.items() if not users]
        for place in idle[: -self.IDLE]:
            del self._boards[place]


_boards: dict[str, Boards] = {}


class ListFeed:
    """One subscription to a list. `offer` takes events; `frames` yields what to send; both on the event loop."""

    interval = 0.05

    def __init__(self, access: Access, number: int, ask: dict[str, Any]) -> None:
        """`ask`: `kind` (a storage, or "workloads"), `ns` (names joined by commas), `labels` (a selector), `since`."""
        self.access, self.number = access, number
        self.together = ask.get("kind") == "workloads"
        self.storages = WORKLOADS if self.together else (str(ask.get("kind", "")),)
        self.namespaces = frozenset(filter(None, str(ask.get("ns") or "").split(","))) or None
        labels = str(ask.get("labels") or "")
        self.matches = parse_labels(labels[:2_000]).matches if labels else None
        self.since = ask["since"] if isinstance(ask.get("since"), int) else None
        self.pending: dict[Key, Event] = {}
        self.scopes: dict[str, Scope] = {}
        self.rows: dict[str, tuple[int, Rows]] = {}
        self.started = self.stale_rights = False

        source = self.access.source
        boards = _boards.get(source.name)
        if boards is None or boards.cache is not source.cache:
            boards = _boards[source.name] = Boards(source.cache)
        for place, storage in enumerate(self.storages):
            kind = source.kind(storage)
            if kind is None:
                if not self.together:
                    self.close()
                    raise LookupError(f"there is no kind {storage!r} in this cluster")
                continue
            self.scopes[storage] = self.access.scope(kind)
            self.rows[storage] = (place, boards.take(kind, self.together))
        # That there is nothing in a namespace may only be told to users who may see what is there.
        if not any(
            scope is None or (scope & self.namespaces if self.namespaces else scope) for scope in self.scopes.values()
        ):
            self.close()
            where = f" in {', '.join(sorted(self.namespaces))}" if self.namespaces and any(self.scopes.values()) else ""
            raise PermissionError(f"you may not list {' or '.join(self.storages)}{where}")

    def close(self) -> None:
        boards = _boards.get(self.access.source.name)
        for _, rows in self.rows.values():
            if boards:
                boards.give_back(rows.kind, self.together)
        self.rows.clear()

    # -- events ------------------------------------------------------------------------------------------------------

    def offer(self, events: Sequence[Event]) -> bool:
        """Take note of events; returns whether there is something to send."""
        for event in events:
            storage = event.key.storage
            if storage in self.rows and (
                self._shows(event.entry) or (event.previous is not None and self._shows(event.previous))
            ):
                self.pending[event.key] = event
            if storage in RIGHTS:
                self.stale_rights = True
        return bool(self.pending) or self.stale_rights

    def _shows(self, entry: Entry) -> bool:
        key = entry.key
        # Among all workloads, a Deployment stands for its ReplicaSets.
        return (
            within(self.scopes[key.storage], key.namespace)
            and (self.namespaces is None or key.namespace in self.namespaces)
            and not (self.together and key.storage == "replicasets.apps" and entry.controller is not None)
            and (self.matches is None or self.matches(entry.labels))
        )

    # -- frames ------------------------------------------------------------------------------------------------------

    async def frames(self) -> AsyncIterator[bytes]:
        """What to send now: at first everything (or what changed since the revision the page has), then changes."""
        if self.stale_rights:
            self.stale_rights = False
            for storage, (_, rows) in self.rows.items():
                scope = self.access.scope(rows.kind)
                if scope != self.scopes[storage]:
                    self.scopes[storage] = scope
                    self.started, self.since = False, None
        if not self.started:
            self.started = True
            resumed = self._resume()
            if resumed is not None:
                yield resumed
            else:
                async for frame in self._everything():
                    yield frame
        if self.pending:
            yield self._changes()

    async def _everything(self) -> AsyncIterator[bytes]:
        cache = self.access.source.cache
        revision = cache.revision
        self.pending.clear()
        places = sorted(self.namespaces) if self.namespaces else [None]
        entries = [
            entry
            for storage in self.rows
            for place in places
            for entry in cache.list(storage, place)
            if self._shows(entry)
        ]
        total, entries = len(entries), entries[:MAX_ROWS]
        head = {
            "t": "rows",
            "id": self.number,
            "rev": revision,
            "total": total,
            "columns": workload_header() if self.together else self.rows[self.storages[0]][1].columns,
            "storages": self.storages,
            "first": True,
        }
        start, size = 0, FIRST_SLICE
        while True:
            part = entries[start : start + size]
            start, size = start + size, SLICE
            head["more"] = start < len(entries)
            rows = list[bytes]()
            for at in range(0, len(part), BREATH):
                rows += [self._row(entry) for entry in part[at : at + BREATH]]
                await asyncio.sleep(0)
            yield _frame(head, rows)
            if not head["more"]:
                return
            head = {"t": "rows", "id": self.number, "rev": revision, "total": total}

    def _row(self, entry: Entry) -> bytes:
        place, rows = self.rows[entry.key.storage]
        return rows.row(entry, place)

    def _resume(self) -> bytes | None:
        cache = self.access.source.cache
        if self.since is None or self.since > cache.revision:
            return None
        events = cache.events_since(self.since)
        if events is None or len(events) > MAX_RESUME or any(e.key.storage in RIGHTS for e in events):
            return None
        self.pending.clear()
        self.offer(events)
        return self._changes(resumed=True)

    def _changes(self, resumed: bool = False) -> bytes:
        pending, self.pending = self.pending, {}
        cache = self.access.source.cache
        shown, gone = [], []
        newest = self.since or 0
        for key, event in pending.items():
            entry = cache.get(key)
            newest = max(newest, event.revision)
            if entry is not None and self._shows(entry):
                shown.append(self._row(entry))
            else:
                gone.append([self.rows[key.storage][0], key.namespace, key.name])
                self.rows[key.storage][1].forget(event.entry)
        head: dict[str, Any] = {"t": "delta", "id": self.number, "rev": newest, "gone": gone}
        if pending:
            head["at"] = max(event.at for event in pending.values())
        if resumed:
            head.update(rev=max(newest, cache.revision), resumed=True)
        return _frame(head, shown)


def _frame(head: dict[str, Any], rows: list[bytes]) -> bytes:
    return orjson.dumps(head)[:-1] + b',"rows":[' + b",".join(rows) + b"]}"
