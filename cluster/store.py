"""The only writer of cluster state: documents with revisions, and the log of their changes.

A write says which revision it expects to replace (optimistic concurrency). Writes of many threads and tasks gather in a
queue; one thread drains it into one transaction (group commit), and answers only after the commit is on the disk.
Revisions count commits in their order, over all processes and clusters of a database.

    store = Store.of(1)
    stored = store.write(Write("create", Key("pods", "default", "web"), {"metadata": {…}, …}))
    store.write(Write("update", stored.key, body, expect=stored.revision))      # raises Conflict when it moved on
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any, ClassVar, Literal, NamedTuple

import orjson

from cluster import crypto, hints
from cluster.database import Database
from cluster.errors import AlreadyExists, ApiError, ClaimTaken, Conflict, Gone, InternalError, NotFound, TooManyRequests

log = logging.getLogger(__name__)

MAX_GROUP = 1000    # writes in one transaction: bounds the latency of the first of them
MAX_QUEUE = 20_000  # requests that wait: beyond, callers are told to come back


class Key(NamedTuple):
    """Where an object lives; `namespace` is empty for cluster-scoped kinds."""

    storage: str
    namespace: str
    name: str

    @property
    def group_resource(self) -> tuple[str, str]:
        resource, _, group = self.storage.partition(".")
        return group, resource


class Write(NamedTuple):
    """One wanted change.

    `expect`: the revision to replace; None replaces whatever is there (not for create). `claims`: the unique values the
    object holds from now on, None to leave them as they are.
    """

    op: Literal["create", "update", "delete"]
    key: Key
    body: dict[str, Any] | None = None
    expect: int | None = None
    claims: Sequence[tuple[str, str]] | None = None


class Change(NamedTuple):
    """One entry of the log. `type` is ADDED, MODIFIED or DELETED; `body` the JSON with its resourceVersion."""

    revision: int
    type: str
    key: Key
    body: bytes
    at: float


class Stored(NamedTuple):
    """What a write left behind: the object's revision and JSON."""

    key: Key
    revision: int
    body: bytes

    @property
    def obj(self) -> dict[str, Any]:
        return orjson.loads(self.body)


TYPES = {"A": "ADDED", "M": "MODIFIED", "D": "DELETED"}
_CHANGE = "SELECT revision, type, storage, namespace, name, body, at FROM cluster_change "


class _Request:
    """Writes of one caller, answered together. `atomic`: all of them or none."""

    __slots__ = ("atomic", "future", "writes")

    def __init__(self, writes: Sequence[Write], atomic: bool) -> None:
        self.writes, self.atomic = writes, atomic
        self.future: Future[list[Stored | ApiError]] = Future()


class _Group:
    """What one transaction is going to do: results of each write, and the rows that follow from them."""

    def __init__(self, cluster: int, revision: int, current: dict[Key, int], stamp: bool) -> None:
        self.cluster, self.revision, self.current, self.stamp = cluster, revision, current, stamp
        self.now = time.time()
        self.changes: list[Change] = []
        self.claims: dict[str, Sequence[tuple[str, str]]] = {}
        self.uids: dict[Key, str] = {}

    def plan(self, request: _Request, taken: dict[tuple[str, str], str]) -> list[Stored | ApiError]:
        results: list[Stored | ApiError] = []
        mark, revision, before = len(self.changes), self.revision, dict(self.current) if request.atomic else {}
        held = dict(self.claims) if request.atomic else {}
        for write in request.writes:
            try:
                results.append(self._apply(write, taken))
            except ApiError as error:
                results.append(error)
        if request.atomic and any(isinstance(r, ApiError) for r in results):
            del self.changes[mark:]
            self.revision, self.current, self.claims = revision, before, held
            first = next(r for r in results if isinstance(r, ApiError))
            return [r if isinstance(r, ApiError) else first for r in results]
        return results

    def _apply(self, write: Write, taken: dict[tuple[str, str], str]) -> Stored:
        key = write.key
        present = self.current.get(key)
        self._check(write, present)
        self._claim(write, taken)
        self.revision += 1
        body = self._encode(write)
        kind = "ADDED" if write.op == "create" else "DELETED" if write.op == "delete" else "MODIFIED"
        self.changes.append(Change(self.revision, kind, key, body, self.now))
        if write.op == "delete":
            del self.current[key]
        else:
            self.current[key] = self.revision
            self.uids[key] = (write.body or {})["metadata"].get("uid", "")
        return Stored(key, self.revision, body)

    def _check(self, write: Write, present: int | None) -> None:
        group, resource = write.key.group_resource
        if write.op == "create":
            if present is not None:
                raise AlreadyExists(resource, write.key.name, group)
        elif present is None:
            raise NotFound(resource, write.key.name, group)
        elif write.expect is not None and write.expect != present:
            raise Conflict(resource, write.key.name, group)

    def _claim(self, write: Write, taken: dict[tuple[str, str], str]) -> None:
        owner = "/".join(write.key)
        if write.op == "delete":
            self.claims[owner] = ()
        elif write.claims is not None:
            for claim in write.claims:
                if taken.get(claim, owner) != owner:
                    raise ClaimTaken(*claim)
            for claim in write.claims:
                taken[claim] = owner
            self.claims[owner] = write.claims

    def _encode(self, write: Write) -> bytes:
        body = write.body
        if body is None:
            raise InternalError(f"a write of {'/'.join(write.key)} needs the object's body")
        if self.stamp:
            body["metadata"]["resourceVersion"] = str(self.revision)
        return orjson.dumps(body)


class Store:
    """The store of one cluster; see the module's docstring. Thread-safe; one per process and cluster suffices."""

    _stores: ClassVar[dict[tuple[str, int], Store]] = {}
    _stores_guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, database: Database | None = None, cluster: int = 1, *, stamp: bool = True) -> None:
        self.database = database or Database()
        self.cluster = cluster
        # A mirror of an attached cluster keeps the resourceVersion that the real one gave.
        self.stamp = stamp
        self._queue: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()
        self._listeners: list[Callable[[int, list[Change]], None]] = []
        self.groups = 0

    @classmethod
    def of(cls, cluster: int = 1) -> Store:
        """This process's store of a cluster, in the database of this installation."""
        from cluster.database import default_url

        where = (default_url(), cluster)
        with cls._stores_guard:
            if where not in cls._stores:
                cls._stores[where] = cls(Database(where[0]), cluster)
            return cls._stores[where]

    def close(self) -> None:
        """Finish what is queued, then stop the writer thread and close the connections."""
        with self._guard:
            thread, self._thread = self._thread, None
        if thread:
            self._queue.put(None)
            thread.join()
        self.database.close()

    # -- writing -----------------------------------------------------------------------------------------------------

    def write(self, write: Write) -> Stored:
        """Carry out one write; returns after it is on the disk. Raises AlreadyExists, NotFound, Conflict, ClaimTaken."""
        return _one(self._submit([write], False).result())

    def write_many(self, writes: Sequence[Write], atomic: bool = False) -> list[Stored | ApiError]:
        """Carry out many writes in one transaction; the answer has a `Stored` or an error for each, in order.

        With `atomic`, one error undoes all of them.
        """
        return self._submit(writes, atomic).result() if writes else []

    async def awrite(self, write: Write) -> Stored:
        """As `write`, for a coroutine."""
        return _one(await asyncio.wrap_future(self._submit([write], False)))

    async def awrite_many(self, writes: Sequence[Write], atomic: bool = False) -> list[Stored | ApiError]:
        """As `write_many`, for a coroutine."""
        return await asyncio.wrap_future(self._submit(writes, atomic)) if writes else []

    def on_commit(self, listener: Callable[[int, list[Change]], None]) -> None:
        """Call `listener(revision before, changes)` in the writer thread after each commit made by this process."""
        self._listeners.append(listener)

    def _submit(self, writes: Sequence[Write], atomic: bool) -> Future[list[Stored | ApiError]]:
        if self._queue.qsize() > MAX_QUEUE:
            raise TooManyRequests("too many writes are waiting for the store; please try again later")
        request = _Request(writes, atomic)
        with self._guard:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"store-{self.cluster}", daemon=True)
                self._thread.start()
        self._queue.put(request)
        return request.future

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group, size, last = [first], len(first.writes), False
            while size < MAX_GROUP:
                try:
                    request = self._queue.get_nowait()
                except queue.Empty:
                    break
                if request is None:
                    last = True
                    break
                group.append(request)
                size += len(request.writes)
            self._commit(group)
            if last:
                return

    def _commit(self, requests: list[_Request]) -> None:
        try:
            before, changes, results = self._transact(requests)
        except Exception as error:  # the database refused: nothing was committed, every caller is told so
            failure = InternalError(f"the store could not commit: {error}")
            failure.__cause__ = error
            for request in requests:
                request.future.set_exception(failure)
            return
        self.groups += 1
        if changes:
            self._tell(before, changes)
        for request, result in zip(requests, results, strict=True):
            request.future.set_result(result)
        if changes:
            hints.publish(self.cluster, changes[-1].revision)

    def _tell(self, before: int, changes: list[Change]) -> None:
        for listener in self._listeners:
            try:
                listener(before, changes)
            except Exception:  # a reader's fault must not stop the writer; the reader finds the changes in the log
                log.exception("a listener of the store failed")

    def _transact(self, requests: list[_Request]) -> tuple[int, list[Change], list[list[Stored | ApiError]]]:
        writes = [write for request in requests for write in request.writes]
        with self.database.writing():
            before = self.revision()
            group = _Group(self.cluster, before, self._current({w.key for w in writes}), self.stamp)
            taken = self._taken({claim for w in writes if w.claims for claim in w.claims})
            results = [group.plan(request, taken) for request in requests]
            self._save(group)
        return before, group.changes, results

    def _current(self, keys: Iterable[Key]) -> dict[Key, int]:
        """The revisions of those keys that exist."""
        parameters = [part for key in keys for part in key]
        # CROSS JOIN fixes SQLite's order: a look-up in the index for each key, not a scan of all objects.
        rows = self.database.rows(
            f"WITH wanted (s, ns, n) AS (VALUES {_tuples(3, parameters)}) SELECT storage, namespace, name, revision FROM"
            " wanted CROSS JOIN cluster_object WHERE cluster_id = ? AND storage = s AND namespace = ns AND name = n",
            [*parameters, self.cluster])
        return {Key(*row[:3]): row[3] for row in rows}

    def _taken(self, claims: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        parameters = [part for claim in claims for part in claim]
        if not parameters:
            return {}
        rows = self.database.rows(
            f"WITH wanted (s, v) AS (VALUES {_tuples(2, parameters)}) SELECT scope, value, owner FROM wanted CROSS JOIN"
            " cluster_claim WHERE cluster_id = ? AND scope = s AND value = v", [*parameters, self.cluster])
        return {(scope, value): owner for scope, value, owner in rows}

    def _save(self, group: _Group) -> None:
        newest = {change.key: change for change in group.changes}
        kept = {change.revision: crypto.conceal(change.key.storage, change.body) for change in group.changes}
        self.database.executemany(
            "INSERT INTO cluster_object (cluster_id, storage, namespace, name, uid, revision, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (cluster_id, storage, namespace, name)"
            " DO UPDATE SET uid = excluded.uid, revision = excluded.revision, body = excluded.body",
            [(self.cluster, *key, group.uids[key], c.revision, kept[c.revision])
             for key, c in newest.items() if c.type != "DELETED"])
        self.database.executemany(
            "DELETE FROM cluster_object WHERE cluster_id = ? AND storage = ? AND namespace = ? AND name = ?",
            [(self.cluster, *key) for key, c in newest.items() if c.type == "DELETED"])
        self.database.executemany(
            "INSERT INTO cluster_change (revision, cluster_id, storage, namespace, name, type, at, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(c.revision, self.cluster, *c.key, c.type[0], c.at, kept[c.revision]) for c in group.changes])
        self.database.executemany("DELETE FROM cluster_claim WHERE cluster_id = ? AND owner = ?",
                                  [(self.cluster, owner) for owner in group.claims])
        self.database.executemany(
            "INSERT INTO cluster_claim (cluster_id, scope, value, owner) VALUES (?, ?, ?, ?)",
            [(self.cluster, *claim, owner) for owner, claims in group.claims.items() for claim in claims])

    # -- reading -----------------------------------------------------------------------------------------------------

    def revision(self) -> int:
        """The newest committed revision."""
        return self.database.value("SELECT max(revision) FROM cluster_change") or 0

    def compacted(self) -> int:
        """The revision up to which the log was compacted."""
        return self.database.value("SELECT compacted FROM cluster_cluster WHERE id = ?", (self.cluster,)) or 0

    def get(self, key: Key) -> Stored | None:
        row = self.database.execute(
            "SELECT revision, body FROM cluster_object WHERE cluster_id = ? AND storage = ? AND namespace = ? AND name = ?",
            (self.cluster, *key)).fetchone()
        return Stored(key, row[0], crypto.reveal(bytes(row[1]))) if row else None

    def snapshot(self, storages: Sequence[str] | None = None) -> tuple[int, list[Stored]]:
        """The newest revision and every object (of these storages) as it is then."""
        with self.database.reading():
            revision = self.revision()
            where, parameters = _storages(storages)
            rows = self.database.rows("SELECT storage, namespace, name, revision, body FROM cluster_object"
                                      f" WHERE cluster_id = ?{where}", (self.cluster, *parameters))
        return revision, [Stored(Key(*row[:3]), row[3], crypto.reveal(bytes(row[4]))) for row in rows]

    def changes_since(self, revision: int, limit: int = 10_000, storages: Sequence[str] | None = None) -> list[Change]:
        """Up to `limit` changes after a revision, in order. Raises Gone when some of them were compacted."""
        where, parameters = _storages(storages)
        with self.database.reading():
            compacted = self.compacted()
            # The plus keeps SQLite from the index that begins with the cluster: it would read and sort the whole log.
            rows = self.database.rows(_CHANGE + f"WHERE +cluster_id = ? AND revision > ?{where} ORDER BY revision LIMIT ?",
                                      (self.cluster, revision, *parameters, limit))
        if revision < compacted:
            raise Gone(f"too old resource version: {revision} ({compacted})")
        return [_change(row) for row in rows]

    def at(self, revision: int, storage: str, namespace: str | None = None) -> list[Change]:
        """The objects of a storage as they were at a revision, in key order. Raises Gone when that was compacted."""
        where = "" if namespace is None else " AND namespace = ?"
        scope = (self.cluster, storage, *(() if namespace is None else (namespace,)))
        with self.database.reading():
            compacted = self.compacted()
            rows = self.database.rows(
                _CHANGE + "WHERE revision IN (SELECT max(revision) FROM cluster_change WHERE cluster_id = ? AND storage"
                f" = ?{where} AND revision <= ? GROUP BY namespace, name) AND type <> 'D'", (*scope, revision))
        if revision < compacted:
            raise Gone(f"The provided continue parameter is too old: revision {revision} was compacted at {compacted}")
        return sorted((_change(row) for row in rows), key=lambda change: change.key)

    def history(self, key: Key, limit: int = 100) -> list[Change]:
        """The newest changes of one object that the log still has, newest first."""
        rows = self.database.rows(_CHANGE + "WHERE cluster_id = ? AND storage = ? AND namespace = ? AND name = ?"
                                  " ORDER BY revision DESC LIMIT ?", (self.cluster, *key, limit))
        return [_change(row) for row in rows]

    def before(self, change: Change) -> Change | None:
        """The state that a change replaced, None for an object that was not there."""
        row = self.database.execute(_CHANGE + "WHERE cluster_id = ? AND storage = ? AND namespace = ? AND name = ? AND"
                                    " revision < ? ORDER BY revision DESC LIMIT 1",
                                    (self.cluster, *change.key, change.revision)).fetchone()
        return None if row is None or row[1] == "D" else _change(row)

    # -- compaction --------------------------------------------------------------------------------------------------

    def compact(self, revision: int) -> int:
        """Forget the changes up to `revision` that later ones replaced; returns how many.

        What existed at that revision stays readable, so that lists at any later revision remain exact.
        """
        with self.database.writing():
            revision = min(revision, self.revision())
            self.database.execute("UPDATE cluster_cluster SET compacted = ? WHERE id = ? AND compacted < ?",
                                  (revision, self.cluster, revision))
            # A deletion may go too once nothing can be read before it, except the newest change: it holds the counter.
            removed: int = self.database.execute(
                "DELETE FROM cluster_change WHERE cluster_id = ? AND revision <= ? AND revision <"
                " (SELECT max(revision) FROM cluster_change) AND (type = 'D' OR EXISTS (SELECT 1 FROM cluster_change later"
                " WHERE later.cluster_id = cluster_change.cluster_id AND later.storage = cluster_change.storage AND"
                " later.namespace = cluster_change.namespace AND later.name = cluster_change.name AND"
                " later.revision > cluster_change.revision AND later.revision <= ?))",
                (self.cluster, revision, revision)).rowcount
            return removed


def _one(results: list[Stored | ApiError]) -> Stored:
    if isinstance(results[0], ApiError):
        raise results[0]
    return results[0]


def _tuples(width: int, parameters: Sequence[Any]) -> str:
    """Placeholders for a VALUES list: `(?,?),(?,?)`."""
    return ",".join([f"({','.join('?' * width)})"] * (len(parameters) // width))


def _change(row: tuple[Any, ...]) -> Change:
    revision, kind, storage, namespace, name, body, at = row
    return Change(revision, TYPES[kind], Key(storage, namespace, name), crypto.reveal(bytes(body)), at)


def _storages(storages: Sequence[str] | None) -> tuple[str, Sequence[str]]:
    if storages is None:
        return "", ()
    return f" AND storage IN ({','.join('?' * len(storages))})", storages

