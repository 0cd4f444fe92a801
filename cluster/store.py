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
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, ClassVar

from cluster import crypto, hints
from cluster.changes import TYPES, Change, Key, Stored, Write
from cluster.database import Database, default_url
from cluster.group import Group, Request, answer
from kube.errors import ApiError, Gone, InternalError, ServiceUnavailable, StorageFull, TooManyRequests

__all__ = ["Change", "Key", "Store", "Stored", "Write"]

log = logging.getLogger(__name__)

MAX_GROUP = 1000  # writes in one transaction: bounds the latency of the first of them
MAX_QUEUE = 20_000  # requests that wait: beyond, callers are told to come back


_CHANGE = "SELECT revision, type, storage, namespace, name, body, at, previous FROM cluster_change "
_KEY = "cluster_id = ? AND storage = ? AND namespace = ? AND name = ?"


class Store:
    """The store of one cluster; see the module's docstring. Thread-safe; one per process and cluster suffices."""

    _stores: ClassVar[dict[tuple[str, int], Store]] = {}
    _stores_guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, database: Database | None = None, cluster: int = 1, *, stamp: bool = True) -> None:
        self.database = database or Database()
        self.cluster = cluster
        # A mirror of an attached cluster keeps the resourceVersion that the real one gave.
        self.stamp = stamp
        self._queue: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()
        self._closed = False
        self._listeners: list[Callable[[int, list[Change]], None]] = []
        self.groups = 0
        self.mark: int | None = None  # `Database.mark` after this process's last commit
        self._last = 0  # the newest revision then

    @classmethod
    def of(cls, cluster: int = 1) -> Store:
        """This process's store of a cluster, in the database of this installation."""
        where = (default_url(), cluster)
        with cls._stores_guard:
            if where not in cls._stores:
                cls._stores[where] = cls(Database(where[0]), cluster)
            return cls._stores[where]

    def close(self) -> None:
        """Finish what is queued, then stop the writer thread and close the connections. Later writes are refused."""
        with self._guard:
            thread, self._thread, self._closed = self._thread, None, True
            self._queue.put(None)
        if thread:
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
        request = Request(writes, atomic)
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
        request = Request(writes, atomic, asyncio.get_running_loop())
        self._submit(request)
        assert isinstance(request.future, asyncio.Future)
        return await request.future

    def on_commit(self, listener: Callable[[int, list[Change]], None]) -> None:
        """Call `listener(revision before, changes)` in the writer thread after each commit made by this process."""
        self._listeners.append(listener)

    def _submit(self, request: Request) -> None:
        if self._queue.qsize() > MAX_QUEUE:
            raise TooManyRequests("too many writes are waiting for the store; please try again later")
        with self._guard:  # so that nothing is queued behind the end
            if self._closed:
                raise ServiceUnavailable("the store is closed: this process is ending")
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

    def _commit(self, requests: list[Request]) -> None:
        try:
            before, changes, results = self._transact(requests)
        except Exception as error:  # the database refused: nothing was committed, every caller is told so
            answer(requests, [self._failure(error)] * len(requests))
            return
        self.groups += 1
        if changes:
            self._tell(before, changes)
        answer(requests, results)
        if changes:
            hints.publish(self.cluster, changes[-1].revision)

    def _failure(self, error: Exception) -> ApiError:
        """What callers are told of a commit that failed."""
        failure: ApiError
        if self.database.full(error):
            failure = StorageFull(
                f"nothing was written: the disk of the database is full ({error}); free some space there"
            )
        elif self.database.lost(error):
            failure = ServiceUnavailable(f"nothing was written: the database cannot be used now ({error})")
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

    def _transact(self, requests: list[Request]) -> tuple[int, list[Change], list[list[Stored | ApiError]]]:
        writes = [write for request in requests for write in request.writes]
        with self.database.writing():
            before = self._newest()
            group = Group(self.cluster, before, self._current({w.key for w in writes}), self.stamp)
            taken = self._taken({claim for w in writes if w.claims for claim in w.claims})
            results = [group.plan(request, taken) for request in requests]
            self._save(group)
        self.mark, self._last = self.database.marked, group.revision
        return before, group.changes, results

    def _newest(self) -> int:
        """The newest revision, inside the write transaction; known without a query where nobody else has written since."""
        if self.mark is not None and self.database.mark == self.mark:
            return self._last
        return self.revision()

    def _current(self, keys: Iterable[Key]) -> dict[Key, int]:
        """The revisions of those keys that exist."""
        found: dict[Key, int] = {}
        for parameters in _statements(keys):
            # CROSS JOIN fixes SQLite's order: a look-up in the index for each key, not a scan of all objects.
            rows = self.database.rows(
                f"WITH wanted (s, ns, n) AS (VALUES {_tuples(3, parameters)}) SELECT storage, namespace, name, revision FROM"
                " wanted CROSS JOIN cluster_object WHERE cluster_id = ? AND storage = s AND namespace = ns AND name = n",
                [*parameters, self.cluster],
            )
            found.update((Key(*row[:3]), row[3]) for row in rows)
        return found

    def _taken(self, claims: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        for parameters in _statements(claims):
            rows = self.database.rows(
                f"WITH wanted (s, v) AS (VALUES {_tuples(2, parameters)}) SELECT scope, value, owner FROM wanted CROSS JOIN"
                " cluster_claim WHERE cluster_id = ? AND scope = s AND value = v",
                [*parameters, self.cluster],
            )
            found.update(((scope, value), owner) for scope, value, owner in rows)
        return found

    def _save(self, group: Group) -> None:
        newest = {change.key: change for change in group.changes}
        self.database.insert(
            "cluster_change (revision, cluster_id, storage, namespace, name, type, at, previous, body)",
            [(c.revision, self.cluster, *c.key, c.type[0], c.at, c.previous, self._conceal(c)) for c in group.changes],
        )
        exists = [(key, c) for key, c in newest.items() if c.type != "DELETED"]
        self.database.insert(
            "cluster_object (cluster_id, storage, namespace, name, uid, revision)",
            [(self.cluster, *key, group.uids[key], c.revision) for key, c in exists if key not in group.present],
        )
        self.database.executemany(
            f"UPDATE cluster_object SET uid = ?, revision = ? WHERE {_KEY}",
            [(group.uids[key], c.revision, self.cluster, *key) for key, c in exists if key in group.present],
        )
        self.database.executemany(
            f"DELETE FROM cluster_object WHERE {_KEY}",
            [(self.cluster, *key) for key, c in newest.items() if c.type == "DELETED" and key in group.present],
        )
        self.database.executemany(
            "DELETE FROM cluster_claim WHERE cluster_id = ? AND owner = ?",
            [(self.cluster, owner) for owner in group.claims],
        )
        self.database.insert(
            "cluster_claim (cluster_id, scope, value, owner)",
            [(self.cluster, *claim, owner) for owner, claims in group.claims.items() for claim in claims],
        )

    def _conceal(self, change: Change) -> bytes:
        return crypto.conceal(self.cluster, change.key, change.body)

    # -- reading -----------------------------------------------------------------------------------------------------
    #
    # Of a body that cannot be decrypted readers of many get a remark (`crypto.remark`): one row that somebody copied must
    # not keep all the others from being read.

    def revision(self) -> int:
        """The newest committed revision."""
        return self.database.value("SELECT max(revision) FROM cluster_change") or 0

    def compacted(self) -> int:
        """The revision up to which the log was compacted."""
        return self.database.value("SELECT compacted FROM cluster_cluster WHERE id = ?", (self.cluster,)) or 0

    def get(self, key: Key) -> Stored | None:
        """An object as it is now. Raises Unreadable for one that cannot be decrypted."""
        row = self.database.execute(
            f"SELECT revision, body FROM cluster_change WHERE revision = (SELECT revision"
            f" FROM cluster_object WHERE {_KEY})",
            (self.cluster, *key),
        ).fetchone()
        if row is None:
            return None
        body = self._reveal(row[0], key, row[1])
        crypto.check(body)
        return Stored(key, row[0], body)

    def snapshot(self, storages: Sequence[str] | None = None) -> tuple[int, list[Stored]]:
        """The newest revision and every object (of these storages) as it is then."""
        with self.database.reading():
            revision = self.revision()
            where, parameters = _storages(storages)
            rows = self.database.rows(
                "SELECT storage, namespace, name, revision, body FROM cluster_change WHERE revision IN (SELECT revision"
                f" FROM cluster_object WHERE cluster_id = ?{where})",
                (self.cluster, *parameters),
            )
        return revision, [Stored(key := Key(*row[:3]), row[3], self._reveal(row[3], key, row[4])) for row in rows]

    def changes_since(self, revision: int, limit: int = 10_000, storages: Sequence[str] | None = None) -> list[Change]:
        """Up to `limit` changes after a revision, in order. Raises Gone when some of them were compacted."""
        where, parameters = _storages(storages)
        with self.database.reading():
            compacted = self.compacted()
            rows = self.database.rows(
                _CHANGE + f"WHERE revision > ? AND cluster_id = ?{where} ORDER BY revision LIMIT ?",
                (revision, self.cluster, *parameters, limit),
            )
        if revision < compacted:
            raise Gone(f"too old resource version: {revision} ({compacted})")
        return [self._change(row) for row in rows]

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
                (*scope, revision, revision, *scope, revision),
            )
        if revision < compacted:
            raise Gone(f"The provided continue parameter is too old: revision {revision} was compacted at {compacted}")
        return sorted((self._change(row) for row in rows), key=lambda change: change.key)

    def history(self, key: Key, limit: int = 100) -> list[Change]:
        """The newest changes of one object that the log still has, newest first."""
        found: list[tuple[Any, ...]] = []
        with self.database.reading():
            revision = self.database.value(f"SELECT revision FROM cluster_object WHERE {_KEY}", (self.cluster, *key))
            revision = revision or self._deleted(key, self.revision())
            while revision and len(found) < limit:
                row = self.database.execute(_CHANGE + "WHERE revision = ?", (revision,)).fetchone()
                if row is None:  # compacted
                    break
                found.append(row)
                revision = row[-1] or self._deleted(key, revision)
        return [self._change(row) for row in found]

    def _deleted(self, key: Key, revision: int) -> int:
        """The revision of the last deletion of an object of that name up to a revision, 0 if the log has none."""
        return (
            self.database.value(
                f"SELECT max(revision) FROM cluster_change WHERE {_KEY} AND type = 'D' AND revision <= ?",
                (self.cluster, *key, revision),
            )
            or 0
        )

    def before(self, change: Change) -> Change | None:
        """The state that a change replaced; None when there was none, or the log does not have it any more."""
        row = self.database.execute(_CHANGE + "WHERE revision = ?", (change.previous,)).fetchone()
        return None if row is None else self._change(row)

    def _change(self, row: tuple[Any, ...]) -> Change:
        revision, kind, storage, namespace, name, body, at, previous = row
        key = Key(storage, namespace, name)
        return Change(revision, TYPES[kind], key, self._reveal(revision, key, body), at, previous)

    def _reveal(self, revision: int, key: Key, kept: bytes) -> bytes:
        """A body of the log as JSON, or the remark that it cannot be read."""
        kept = bytes(kept)
        try:
            return crypto.reveal(self.cluster, key, kept)
        except crypto.Unreadable:
            # A rotation may have finished since the row was read: then the row is another now.
            newer = self.database.value("SELECT body FROM cluster_change WHERE revision = ?", (revision,))
        try:
            return crypto.reveal(self.cluster, key, kept if newer is None else bytes(newer))
        except crypto.Unreadable as error:
            log.error("%s (revision %d)", error, revision)
            return crypto.remark(key, revision, error)

    def revision_at(self, at: float) -> int:
        """The newest revision that is older than a time (epoch seconds), 0 when the log has none."""
        low, high = 0, self.revision()
        while low < high:  # times rise with revisions; compaction leaves gaps
            middle = (low + high + 1) // 2
            row = self.database.execute(
                "SELECT revision, at FROM cluster_change WHERE revision <= ? ORDER BY revision DESC LIMIT 1", (middle,)
            ).fetchone()
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
                " AND revision <= ? AND cluster_id = ?)",
                (start, end, self.cluster),
            ).rowcount
            # A deletion may go too once nothing can be read before it, except the newest change: it holds the counter.
            gone: int = self.database.execute(
                "DELETE FROM cluster_change WHERE revision >= ? AND revision <= ? AND revision < ? AND cluster_id = ?"
                " AND type = 'D'",
                (start, end, newest, self.cluster),
            ).rowcount
        return replaced + gone


def _one(result: Stored | ApiError) -> Stored:
    if isinstance(result, ApiError):
        raise result
    return result


def _statements(wanted: Iterable[tuple[str, ...]]) -> Iterator[list[str]]:
    """The parameters of statements that look for so many tuples: databases bound how many one may have.

    The last tuple is repeated until their number is a power of two: few different statements, which stay prepared.
    """
    left = list(wanted)
    for start in range(0, len(left), MAX_GROUP):
        part = left[start : start + MAX_GROUP]
        part += part[-1:] * ((1 << (len(part) - 1).bit_length()) - len(part))
        yield [value for one in part for value in one]


def _tuples(width: int, parameters: Sequence[Any]) -> str:
    """Placeholders for a VALUES list: `(?,?),(?,?)`."""
    return ",".join([f"({','.join('?' * width)})"] * (len(parameters) // width))


def _storages(storages: Sequence[str] | None) -> tuple[str, Sequence[str]]:
    if storages is None:
        return "", ()
    return f" AND storage IN ({','.join('?' * len(storages))})", storages
