"""Connections to the database, SQLite or PostgreSQL, for the store: raw ones, for speed and to stay out of Django.

Django's models describe the same tables (see `cluster.models`) and create them by migration. The store reads and writes
them through this module, so that a process such as the API server needs no Django in memory.

SQL here is written with `?` and runs on both databases.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import re
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import environment

Row = tuple[Any, ...]

# One advisory lock for every writer of one PostgreSQL database; the number only has to be the same everywhere.
WRITER_LOCK = 0x62696E6E

_USUAL_INSERT, _LARGEST_INSERT = 16, 64  # rows of one statement

_SQLITE_LOST = ("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_BUSY", "SQLITE_READONLY")
_FULL = ("disk is full", "No space left", "could not extend file")


def default_url() -> str:
    """The database of this installation: `DATABASE_URL`, or a SQLite file in the state folder."""
    return environment.DATABASE_URL.get() or f"sqlite:///{environment.VAR.get().resolve()}/cluster.db"


@lru_cache(maxsize=512)
def _for_postgres(sql: str) -> str:
    return re.sub(r"\?", "%s", sql)


class Database:
    """One database; connections are kept per thread.

    `read` and `rows` run outside a transaction; `writing` opens the one write transaction there may be at a time,
    over all processes, so that revisions are handed out in the order of commits.
    """

    def __init__(self, url: str | None = None) -> None:
        self.url = url or default_url()
        self.postgres = self.url.startswith(("postgres://", "postgresql://"))
        if not self.postgres and not self.url.startswith("sqlite:///"):
            # Not said what it is instead: it may hold a password.
            raise ValueError("DATABASE_URL is neither sqlite:///PATH nor postgresql://…")
        self._local = threading.local()
        self._connections: list[Any] = []
        self._guard = threading.Lock()
        self._commits: memoryview | None = None
        self.marked: int | None = None  # `mark` right after this thread of control's last commit

    # -- connections -------------------------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        """The file of a SQLite database."""
        return self.url.removeprefix("sqlite:///")

    def connection(self) -> Any:
        """This thread's connection, opened on first use and again after it broke."""
        found = getattr(self._local, "connection", None)
        if found is None or (self.postgres and found.closed):
            found = self._connect_postgres() if self.postgres else self._connect_sqlite()
            self._local.connection = found
            with self._guard:
                self._connections.append(found)
        return found

    def _connect_sqlite(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, timeout=30, cached_statements=256
        )
        # FULL: a commit is on the disk before it is acknowledged. A larger WAL keeps checkpoints out of most commits.
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "wal_autocheckpoint=4000",
            "foreign_keys=OFF",
            "cache_size=-4000",
            "temp_store=MEMORY",
            "journal_size_limit=33554432",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _connect_postgres(self) -> Any:
        import psycopg

        return psycopg.connect(self.url, autocommit=True, prepare_threshold=2)

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._guard:
            for connection in self._connections:
                connection.close()
            self._connections.clear()
        self._local = threading.local()

    # -- commits of all processes ------------------------------------------------------------------------------------

    @property
    def mark(self) -> int | None:
        """A number that every commit of every process changes: as long as it stays, there is nothing new to read.

        It costs a look at shared memory. None where there is none (PostgreSQL): then only a query tells.
        """
        if self.postgres:
            return None
        return self._counter()[0]

    def _counter(self) -> memoryview:
        """The count of commits, in the file that is the writer's lock, mapped by all processes."""
        if self._commits is None:
            with self._guard, open(self.path + ".lock", "a+b") as file:
                if file.tell() < 8:
                    file.write(bytes(8))  # written, not a hole: a full disk must not turn up at an access to memory
                    file.flush()
                self._commits = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
        return self._commits

    def _count_commit(self) -> None:
        if not self.postgres:
            counter = self._counter()
            counter[0] = self.marked = (counter[0] + 1) % (1 << 63)

    # -- what went wrong ---------------------------------------------------------------------------------------------

    def full(self, error: BaseException) -> bool:
        """Whether an error says that the disk has no room."""
        return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or any(
            words in str(error) for words in _FULL
        )

    def lost(self, error: BaseException) -> bool:
        """Whether an error says that the database is away, or its disk fails: what is right now may be better later."""
        if not self.postgres:
            return getattr(error, "sqlite_errorname", "").startswith(_SQLITE_LOST)
        import psycopg

        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)

    # -- statements --------------------------------------------------------------------------------------------------

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Run one statement on this thread's connection; returns the cursor.

        A connection that broke while it was idle is replaced; inside a transaction the break is the caller's to know.
        """
        if not self.postgres:
            return self.connection().execute(sql, parameters)
        connection = self.connection()
        try:
            return connection.execute(_for_postgres(sql), parameters)
        except Exception:
            if not connection.closed or getattr(self._local, "busy", False):
                raise
        return self.connection().execute(_for_postgres(sql), parameters)

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]]) -> None:
        if not parameters:
            return
        if self.postgres:
            with self.connection().cursor() as cursor:
                cursor.executemany(_for_postgres(sql), parameters)
        else:
            self.connection().executemany(sql, parameters)

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows into `table (column, …)`, many with one statement.

        Each statement hands the interpreter's lock over twice, and waits for it: a row a statement would cost more in
        waiting than in writing. Beyond a usual group the sizes are powers of two: few statements have to stay prepared.
        """
        done = 0
        while done < len(rows):
            left = len(rows) - done
            size = left if left <= _USUAL_INSERT else min(_LARGEST_INSERT, 1 << left.bit_length() - 1)
            part = rows[done : done + size]
            places = ",".join([f"({','.join('?' * len(part[0]))})"] * size)
            self.execute(f"INSERT INTO {table} VALUES {places}", [value for row in part for value in row])
            done += size

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        found: list[Row] = self.execute(sql, parameters).fetchall()
        return found

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first column of the first row, None when there is no row."""
        row = self.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    # -- transactions ------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """The write transaction: exclusive over all processes; commits at the end, rolls back on an exception."""
        with self._turn(), self._transaction("BEGIN" if self.postgres else "BEGIN IMMEDIATE"):
            if self.postgres:
                self.execute("SELECT pg_advisory_xact_lock(?)", (WRITER_LOCK,))
            yield
            self.execute("COMMIT")
            self._count_commit()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A transaction that sees one moment of the database."""
        with self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if self.postgres else "BEGIN"):
            yield

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        """From `begin` to what the block does at its end; what it left open is rolled back."""
        self.execute(begin)
        self._local.busy = True
        try:
            yield
        finally:
            self._local.busy = False
            self._rollback()

    def _rollback(self) -> None:
        connection = self.connection()
        if self.postgres:
            if not connection.closed:
                connection.rollback()
        elif connection.in_transaction:
            connection.execute("ROLLBACK")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for SQLite's writer in a queue of the kernel: SQLite itself would poll with growing sleeps."""
        if self.postgres:
            yield
            return
        handle = getattr(self._local, "lock", None)
        if handle is None:
            handle = self._local.lock = open(self.path + ".lock", "ab")  # noqa: SIM115 (kept for the thread's life)
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)
