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
import contextlib
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
from cluster.errors import (
    AlreadyExists,
    ApiError,
    ClaimTaken,
    Conflict,
    Gone,
    InternalError,
    NotFound,
    ServiceUnavailable,
    StorageFull,
    TooManyRequests,
)

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
    """One entry of the log. `type` is ADDED, MODIFIED or DELETED; `body` the JSON with its resourceVersion.

    `previous` is the revision of the state that was replaced, 0 when there was none.
    """

    revision: int
    type: str
    key: Key
    body: bytes
    at: float
    previous: int = 0


class Stored(NamedTuple):
    """What a write left behind: the object's revision and JSON."""

    key: Key
    revision: int
    body: bytes

    @property
    def obj(self) -> dict[str, Any]:
        return orjson.loads(self.body)


TYPES = {"A": "ADDED", "M": "MODIFIED", "D": "DELETED"}
_CHANGE = "SELECT revision, type, storage, namespace, name, body, at, previous FROM cluster_change "
_KEY = "cluster_id = ? AND storage = ? AND namespace = ? AND name = ?"
Results = list["Stored | ApiError"]


class _Request:
    """Writes of one caller, answered together. `atomic`: all of them or none. A coroutine's caller waits in `loop`."""

    __slots__ = ("atomic", "future", "loop", "writes")

    def __init__(self, writes: Sequence[Write], atomic: bool, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.writes, self.atomic, self.loop = writes, atomic, loop
        self.future: Future[Results] | asyncio.Future[Results] = loop.create_future() if loop else Future()


class _Group:
    """What one transaction is going to do: results of each write, and the rows that follow from them."""

    def __init__(self, cluster: int, revision: int, current: dict[Key, int], stamp: bool) -> None:
        self.cluster, self.revision, self.current, self.stamp = cluster, revision, current, stamp
        self.present = frozenset(current)  # what was there before the group
        self.now = time.time()
        self.changes: list[Change] = []
        self.claims: dict[str, Sequence[tuple[str, str]]] = {}
        self.uids: dict[Key, str] = {}

    def plan(self, request: _Request, taken: dict[tuple[str, str], str]) -> list[Stored | ApiError]:
        results: list[Stored | ApiError] = []
        mark, revision, before = len(self.changes), self.revision, dict(self.current) if request.atomic else {}
        held, claimed = (dict(self.claims), dict(taken)) if request.atomic else ({}, {})
        for write in request.writes:
            try:
                results.append(self._apply(write, taken))
            except ApiError as error:
                results.append(error)
        if request.atomic and any(isinstance(r, ApiError) for r in results):
            del self.changes[mark:]
            self.revision, self.current, self.claims = revision, before, held
            taken.clear()
            taken.update(claimed)
            first = next(r for r in results if isinstance(r, ApiError))
            return [r if isinstance(r, ApiError) else first for r in results]
        return results

    def _apply(self, write: Write, taken: dict[tuple[str, str], str]) -> Stored:
        key = write.key
        present = self.current.get(key)
        self._check(write, present)
        body = self._encode(write, self.revision + 1)
        self._claim(write, taken)
        self.revision += 1
        kind = "ADDED" if write.op == "create" else "DELETED" if write.op == "delete" else "MODIFIED"
        self.changes.append(Change(self.revision, kind, key, body, self.now, present or 0))
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
            if write.claims or write.op != "create":  # what is new holds nothing that would have to be given up
                self.claims[owner] = write.claims

    def _encode(self, write: Write, revision: int) -> bytes:
        body = write.body
        if body is None:
            raise InternalError(f"a write of {'/'.join(write.key)} needs the object's body")
        if self.stamp:
            body["metadata"]["resourceVersion"] = str(revision)
        try:
            return orjson.dumps(body)
        except TypeError as error:  # this write's fault: the others of the group go on
            raise InternalError(f"{'/'.join(write.key)} can not be written as JSON: {error}") from error


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
        self.mark: int | None = None  # `Database.mark` after this process's last commit

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
        return _one(self.write_many([write])[0])

    def write_many(self, writes: Sequence[Write], atomic: bool = False) -> list[Stored | ApiError]:
        """Carry out many writes in one transaction; the answer has a `Stored` or an error for each, in order.

        With `atomic`, one error undoes all of them.
        """
        if not writes:
            return []
        request = _Request(writes, atomic)
        self._submit(request)
        assert isinstance(request.future, Future)
        return request.future.result()

    async def awrite(self, write: Write) -> Stored:
        """As `write`, for a coroutine."""
        return _one((await self.awrite_many([write]))[0])

    async def awrite_many(self, writes: Sequence[Write], atomic: bool = False) -> list[Stored | ApiError]:
        """As `write_many`, for a coroutine."""
        if not writes:
            return []
        request = _Request(writes, atomic, asyncio.get_running_loop())
        self._submit(request)
        assert isinstance(request.future, asyncio.Future)
        return await request.future

    def on_commit(self, listener: Callable[[int, list[Change]], None]) -> None:
        """Call `listener(revision before, changes)` in the writer thread after each commit made by this process."""
        self._listeners.append(listener)

    def _submit(self, request: _Request) -> None:
        if self._queue.qsize() > MAX_QUEUE:
            raise TooManyRequests("too many writes are waiting for the store; please try again later")
        if self._thread is None:
            with self._guard:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name=f"store-{self.cluster}", daemon=True)
                    self._thread.start()
        self._queue.put(request)

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
            _answer(requests, [self._failure(error)] * len(requests))
            return
        self.groups += 1
        if changes:
            self._tell(before, changes)
        _answer(requests, results)
        if changes:
            hints.publish(self.cluster, changes[-1].revision)

    def _failure(self, error: Exception) -> ApiError:
        """What callers are told of a commit that failed."""
        failure: ApiError
        if self.database.full(error):
            failure = StorageFull(f"nothing was written: the disk of the database is full ({error}); free some space there")
        elif self.database.lost(error):
            failure = ServiceUnavailable(f"the database can not be reached: {error}")
        else:
            failure = InternalError(f"the store could not commit: {error}")
        failure.__cause__ = error
        return failure

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
        self.mark = self.database.marked
        return before, group.changes, results

    def _current(self, keys: Iterable[Key]) -> dict[Key, int]:
        """The revisions of those keys that exist."""
        parameters = _padded([part for key in keys for part in key], 3)
        # CROSS JOIN fixes SQLite's order: a look-up in the index for each key, not a scan of all objects.
        rows = self.database.rows(
            f"WITH wanted (s, ns, n) AS (VALUES {_tuples(3, parameters)}) SELECT storage, namespace, name, revision FROM"
            " wanted CROSS JOIN cluster_object WHERE cluster_id = ? AND storage = s AND namespace = ns AND name = n",
            [*parameters, self.cluster])
        return {Key(*row[:3]): row[3] for row in rows}

    def _taken(self, claims: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        parameters = _padded([part for claim in claims for part in claim], 2)
        if not parameters:
            return {}
        rows = self.database.rows(
            f"WITH wanted (s, v) AS (VALUES {_tuples(2, parameters)}) SELECT scope, value, owner FROM wanted CROSS JOIN"
            " cluster_claim WHERE cluster_id = ? AND scope = s AND value = v", [*parameters, self.cluster])
        return {(scope, value): owner for scope, value, owner in rows}

    def _save(self, group: _Group) -> None:
        newest = {change.key: change for change in group.changes}
        self.database.executemany(
            "INSERT INTO cluster_change (revision, cluster_id, storage, namespace, name, type, at, previous, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(c.revision, self.cluster, *c.key, c.type[0], c.at, c.previous,
              crypto.conceal(c.key.storage, c.body)) for c in group.changes])
        exists = [(key, c) for key, c in newest.items() if c.type != "DELETED"]
        self.database.executemany(
            "INSERT INTO cluster_object (cluster_id, storage, namespace, name, uid, revision) VALUES (?, ?, ?, ?, ?, ?)",
            [(self.cluster, *key, group.uids[key], c.revision) for key, c in exists if key not in group.present])
        self.database.executemany(
            f"UPDATE cluster_object SET uid = ?, revision = ? WHERE {_KEY}",
            [(group.uids[key], c.revision, self.cluster, *key) for key, c in exists if key in group.present])
        self.database.executemany(
            f"DELETE FROM cluster_object WHERE {_KEY}",
            [(self.cluster, *key) for key, c in newest.items() if c.type == "DELETED" and key in group.present])
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
        row = self.database.execute(f"SELECT revision, body FROM cluster_change WHERE revision = (SELECT revision"
                                    f" FROM cluster_object WHERE {_KEY})", (self.cluster, *key)).fetchone()
        return Stored(key, row[0], crypto.reveal(bytes(row[1]))) if row else None

    def snapshot(self, storages: Sequence[str] | None = None) -> tuple[int, list[Stored]]:
        """The newest revision and every object (of these storages) as it is then."""
        with self.database.reading():
            revision = self.revision()
            where, parameters = _storages(storages)
            rows = self.database.rows(
                "SELECT storage, namespace, name, revision, body FROM cluster_change WHERE revision IN (SELECT revision"
                f" FROM cluster_object WHERE cluster_id = ?{where})", (self.cluster, *parameters))
        return revision, [Stored(Key(*row[:3]), row[3], crypto.reveal(bytes(row[4]))) for row in rows]

    def changes_since(self, revision: int, limit: int = 10_000, storages: Sequence[str] | None = None) -> list[Change]:
        """Up to `limit` changes after a revision, in order. Raises Gone when some of them were compacted."""
        where, parameters = _storages(storages)
        with self.database.reading():
            compacted = self.compacted()
            rows = self.database.rows(_CHANGE + f"WHERE revision > ? AND cluster_id = ?{where} ORDER BY revision LIMIT ?",
                                      (revision, self.cluster, *parameters, limit))
        if revision < compacted:
            raise Gone(f"too old resource version: {revision} ({compacted})")
        return [_change(row) for row in rows]

    def at(self, revision: int, storage: str, namespace: str | None = None) -> list[Change]:
        """The objects of a storage as they were at a revision, in key order. Raises Gone when that was compacted."""
        where = "" if namespace is None else " AND namespace = ?"
        scope = (self.cluster, storage, *(() if namespace is None else (namespace,)))
        with self.database.reading():
            compacted = self.compacted()
            # What did not change since, and what the first change since then replaced.
            rows = self.database.rows(
                f"{_CHANGE}WHERE revision IN (SELECT revision FROM cluster_object WHERE cluster_id = ? AND storage = ?{where}"
                " AND revision <= ? UNION ALL SELECT previous FROM cluster_change WHERE revision > ? AND cluster_id = ?"
                f" AND storage = ?{where} AND previous BETWEEN 1 AND ?)",
                (*scope, revision, revision, *scope, revision))
        if revision < compacted:
            raise Gone(f"The provided continue parameter is too old: revision {revision} was compacted at {compacted}")
        return sorted((_change(row) for row in rows), key=lambda change: change.key)

    def history(self, key: Key, limit: int = 100) -> list[Change]:
        """The newest changes of one object that the log still has, newest first."""
        found: list[Change] = []
        with self.database.reading():
            revision = self.database.value(f"SELECT revision FROM cluster_object WHERE {_KEY}", (self.cluster, *key))
            revision = revision or self._deleted(key, self.revision())
            while revision and len(found) < limit:
                row = self.database.execute(_CHANGE + "WHERE revision = ?", (revision,)).fetchone()
                if row is None:  # compacted
                    break
                found.append(_change(row))
                revision = found[-1].previous or self._deleted(key, revision)
        return found

    def _deleted(self, key: Key, revision: int) -> int:
        """The revision of the last deletion of an object of that name up to a revision, 0 if the log has none."""
        return self.database.value(f"SELECT max(revision) FROM cluster_change WHERE {_KEY} AND type = 'D' AND revision <= ?",
                                   (self.cluster, *key, revision)) or 0

    def before(self, change: Change) -> Change | None:
        """The state that a change replaced; None when there was none, or the log does not have it any more."""
        row = self.database.execute(_CHANGE + "WHERE revision = ?", (change.previous,)).fetchone()
        return None if row is None else _change(row)

    def revision_at(self, at: float) -> int:
        """The newest revision that is older than a time (epoch seconds), 0 when the log has none."""
        low, high = 0, self.revision()
        while low < high:  # times rise with revisions; compaction leaves gaps
            middle = (low + high + 1) // 2
            row = self.database.execute("SELECT revision, at FROM cluster_change WHERE revision <= ? ORDER BY revision DESC"
                                        " LIMIT 1", (middle,)).fetchone()
            if row is None or row[1] < at:
                low = middle
            else:
                high = row[0] - 1
        return low

    # -- compaction --------------------------------------------------------------------------------------------------

    def compact(self, revision: int, step: int = 0) -> int:
        """Forget the changes up to `revision` that later ones replaced; returns how many.

        What existed at that revision stays readable, so that lists at any later revision remain exact. With `step`, only
        so many revisions in one call (see `cluster.compaction`, which holds the writer for moments only).
        """
        with self.database.writing():
            newest, start = self.revision(), self.compacted()
            end = min(revision, newest, start + step if step else newest)
            if end <= start:
                return 0
            self.database.execute("UPDATE cluster_cluster SET compacted = ? WHERE id = ?", (end, self.cluster))
            replaced: int = self.database.execute(
                "DELETE FROM cluster_change WHERE revision IN (SELECT previous FROM cluster_change WHERE revision > ?"
                " AND revision <= ? AND cluster_id = ?)", (start, end, self.cluster)).rowcount
            # A deletion may go too once nothing can be read before it, except the newest change: it holds the counter.
            gone: int = self.database.execute(
                "DELETE FROM cluster_change WHERE revision >= ? AND revision <= ? AND revision < ? AND cluster_id = ?"
                " AND type = 'D'", (start, end, newest, self.cluster)).rowcount
        return replaced + gone


def _one(result: Stored | ApiError) -> Stored:
    if isinstance(result, ApiError):
        raise result
    return result


def _answer(requests: Sequence[_Request], results: Sequence[Results | ApiError]) -> None:
    """Hand each caller its results; an event loop is woken once for all that wait in it."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[Any, Results | ApiError]]] = {}
    for request, result in zip(requests, results, strict=True):
        if request.loop is not None:
            loops.setdefault(request.loop, []).append((request.future, result))
        else:
            _settle(request.future, result)
    for loop, pairs in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_settle_all, pairs)


def _settle_all(pairs: Iterable[tuple[Any, Results | ApiError]]) -> None:
    for future, result in pairs:
        _settle(future, result)


def _settle(future: Any, result: Results | ApiError) -> None:
    if future.done():  # a coroutine that was cancelled meanwhile
        return
    if isinstance(result, ApiError):
        future.set_exception(result)
    else:
        future.set_result(result)


def _padded(parameters: list[str], width: int) -> list[str]:
    """Repeat the last tuple until their number is a power of two: few different statements, which stay prepared."""
    count = len(parameters) // width
    wanted = 1 << (count - 1).bit_length() if count else 0
    return parameters + parameters[-width:] * (wanted - count)


def _tuples(width: int, parameters: Sequence[Any]) -> str:
    """Placeholders for a VALUES list: `(?,?),(?,?)`."""
    return ",".join([f"({','.join('?' * width)})"] * (len(parameters) // width))


def _change(row: tuple[Any, ...]) -> Change:
    revision, kind, storage, namespace, name, body, at, previous = row
    return Change(revision, TYPES[kind], Key(storage, namespace, name), crypto.reveal(bytes(body)), at, previous)


def _storages(storages: Sequence[str] | None) -> tuple[str, Sequence[str]]:
    if storages is None:
        return "", ()
    return f" AND storage IN ({','.join('?' * len(storages))})", storages

