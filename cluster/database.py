"""Connections to the database, SQLite or PostgreSQL, for the store: raw ones, for speed and to stay out of Django.

Django's models describe the same tables (see `cluster.models`) and create them by migration. The store reads and writes
them through this module, so that a process such as the API server needs no Django in memory.

SQL here is written with `?` and runs on both databases.
"""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

Row = tuple[Any, ...]

# One advisory lock for every writer of one PostgreSQL database; the number only has to be the same everywhere.
WRITER_LOCK = 0x62696E6E


def default_url() -> str:
    """The database of this installation: `DATABASE_URL`, or a SQLite file in the state folder."""
    return os.environ.get("DATABASE_URL") or f"sqlite:///{Path(os.environ.get('BINNACLE_VAR', 'var')).resolve()}/cluster.db"


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
            raise ValueError(f"DATABASE_URL: {self.url!r} is neither sqlite:///PATH nor postgresql://…")
        self._local = threading.local()
        self._connections: list[Any] = []
        self._guard = threading.Lock()

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
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=30,
                                     cached_statements=256)
        # FULL: a commit is on the disk before it is acknowledged. A larger WAL keeps checkpoints out of most commits.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=4000", "foreign_keys=OFF",
                       "cache_size=-4000", "temp_store=MEMORY"):
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

    # -- statements --------------------------------------------------------------------------------------------------

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Run one statement on this thread's connection; returns the cursor."""
        return self.connection().execute(_for_postgres(sql) if self.postgres else sql, parameters)

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]]) -> None:
        if not parameters:
            return
        if self.postgres:
            with self.connection().cursor() as cursor:
                cursor.executemany(_for_postgres(sql), parameters)
        else:
            self.connection().executemany(sql, parameters)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self.execute(sql, parameters).fetchall()

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """The first column of the first row, None when there is no row."""
        row = self.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    # -- transactions ------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """The write transaction: exclusive over all processes; commits at the end, rolls back on an exception."""
        with self._turn():
            self.execute("BEGIN" if self.postgres else "BEGIN IMMEDIATE")
            try:
                if self.postgres:
                    self.execute("SELECT pg_advisory_xact_lock(?)", (WRITER_LOCK,))
                yield
            except BaseException:
                self._rollback()
                raise
            self.execute("COMMIT")

    def _rollback(self) -> None:
        connection = self.connection()
        if self.postgres:
            if not connection.closed:
                connection.rollback()
        elif connection.in_transaction:
            connection.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A transaction that sees one moment of the database."""
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if self.postgres else "BEGIN")
        try:
            yield
        finally:
            self._rollback()

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
