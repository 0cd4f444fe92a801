"""The file: SQLite, one writer, every commit on the disk before it counts.

    entities  what is measured, by number
    scrapes   each scrape of the half hour that is open, as one record
    chunks    closed half hours: the samples of one entity each, kept for a day
    rollups   the same half hours in five-minute figures, kept for thirty days

A kill in the middle of a write loses that write: SQLite takes the file back to the commit before. A file that cannot be
read as a database is put aside under another name, and said.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kube import clock
from monitoring.history.entities import FIELDS, Entity

log = logging.getLogger("monitoring.history")

SPAN = 1800  # seconds of a chunk
KEEP_CHUNKS = 86_400 + SPAN  # seconds since its start: a day of samples is whole
KEEP_ROLLUPS = 30 * 86_400
BROKEN_KEPT = 1  # files put aside; the newest stay
VERSION = 1

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS entities (number INTEGER PRIMARY KEY, last INTEGER NOT NULL,
    {", ".join(f"{name} TEXT NOT NULL" for name in FIELDS)}, UNIQUE ({", ".join(FIELDS)}));
CREATE INDEX IF NOT EXISTS by_place ON entities (kind, namespace, pod);
CREATE TABLE IF NOT EXISTS scrapes (at INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS chunks (start INTEGER, number INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (start, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rollups (start INTEGER, number INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (start, number)) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
"""
Row = tuple[int, int, bytes]  # start, number, body


class Store:
    """Every method blocks, and may be called from any thread. They raise sqlite3.Error when the disk refuses."""

    def __init__(self, path: Path, limit: int) -> None:
        """`limit`: bytes that the file may have; the oldest half hours are dropped when it is reached."""
        self.path, self.limit = path, limit
        self._lock = threading.RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        try:
            return _connect(self.path)
        except sqlite3.OperationalError:
            raise  # locked by another process, or no right to write: nothing is wrong with the file
        except sqlite3.DatabaseError as error:
            aside = self.path.with_name(f"{self.path.name}.broken-{int(time.time())}")
            log.error("%s cannot be read (%s): put aside as %s, history begins anew", self.path, error, aside.name)
            for old in sorted(self.path.parent.glob(f"{self.path.name}.broken-*"))[: -BROKEN_KEPT or None]:
                old.unlink()
            self.path.rename(aside)
            for end in ("-wal", "-shm"):
                self.path.with_name(self.path.name + end).unlink(missing_ok=True)
            return _connect(self.path)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # -- writing -------------------------------------------------------------------------------------------------------

    def number(self, entities: Sequence[Entity], now: int) -> list[int]:
        """The numbers of entities, new or known. `now`: milliseconds."""
        marks = ", ".join("?" * len(FIELDS))
        statement = (
            f"INSERT INTO entities (last, {', '.join(FIELDS)}) VALUES (?, {marks}) "
            f"ON CONFLICT ({', '.join(FIELDS)}) DO UPDATE SET last = excluded.last RETURNING number"
        )
        with self._lock, self._db:
            return [self._db.execute(statement, (now, *entity)).fetchone()[0] for entity in entities]

    def add_scrape(self, at: int, body: bytes) -> None:
        with self._lock, self._db:
            self._db.execute("INSERT OR REPLACE INTO scrapes VALUES (?, ?)", (at, body))

    def close_span(
        self, chunks: Sequence[Row], rollups: Sequence[Row], lasts: Sequence[tuple[int, int]], until: int
    ) -> None:
        """A half hour is over: its chunks and rollups come, scrapes before `until` (milliseconds) go, in one commit.

        `lasts`: (milliseconds of the last sample, number).
        """
        with self._lock, self._db:
            self._db.executemany("INSERT OR REPLACE INTO chunks VALUES (?, ?, ?)", chunks)
            self._db.executemany("INSERT OR REPLACE INTO rollups VALUES (?, ?, ?)", rollups)
            self._db.executemany("UPDATE entities SET last = max(last, ?) WHERE number = ?", lasts)
            self._db.execute("DELETE FROM scrapes WHERE at < ?", (until,))

    def drop_old(self, now: float) -> int:
        """Drops what is too old, and the oldest half hours while the file is too big; how many half hours of either went."""
        dropped = self._drop_before("chunks", now - KEEP_CHUNKS) + self._drop_before("rollups", now - KEEP_ROLLUPS)
        with self._lock, self._db:
            self._db.execute("DELETE FROM entities WHERE last < ?", (int((now - KEEP_ROLLUPS) * 1000),))
        while self.used() > self.limit:
            with self._lock:
                oldest = self._db.execute(
                    "SELECT min(start) FROM (SELECT min(start) AS start FROM chunks "
                    "UNION ALL SELECT min(start) FROM rollups)"
                ).fetchone()[0]
            if oldest is None:
                break
            log.warning(
                "the history is bigger than %d bytes: dropping what is from before %s",
                self.limit,
                clock.stamp(oldest + SPAN),
            )
            dropped += self._drop_before("chunks", oldest + 1) + self._drop_before("rollups", oldest + 1)
        with self._lock:
            self._db.execute("PRAGMA incremental_vacuum(2000)").fetchall()
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return dropped

    def _drop_before(self, table: str, start: float) -> int:
        count = 0
        with self._lock:
            old = [row[0] for row in self._db.execute(f"SELECT DISTINCT start FROM {table} WHERE start < ?", (start,))]
        for one in old:
            with self._lock, self._db:
                self._db.execute(f"DELETE FROM {table} WHERE start = ?", (one,))
            count += 1
        return count

    # -- reading -------------------------------------------------------------------------------------------------------

    def scrapes(self) -> list[int]:
        """When the scrapes were that lie in the file (milliseconds), oldest first."""
        with self._lock:
            return [row[0] for row in self._db.execute("SELECT at FROM scrapes ORDER BY at")]

    def scrape(self, at: int) -> bytes:
        """The record of one."""
        with self._lock:
            return bytes(self._db.execute("SELECT body FROM scrapes WHERE at = ?", (at,)).fetchone()[0])

    def entities(self, since: int, **fields: str) -> list[tuple[int, Entity]]:
        """Those with these fields of which there is something since then (milliseconds), or somewhat earlier."""
        wanted = "".join(f" AND {name} = ?" for name in fields)
        with self._lock:
            rows = self._db.execute(
                f"SELECT number, {', '.join(FIELDS)} FROM entities WHERE last >= ?{wanted}",
                (since - 2 * SPAN * 1000, *fields.values()),
            ).fetchall()
        return [(row[0], Entity(*row[1:])) for row in rows]

    def bodies(self, table: str, numbers: Iterable[int], start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """(number, body) of the half hours that begin from `start` to `end` (seconds), oldest first."""
        wanted = list(numbers)
        for at in range(start // SPAN * SPAN, end + 1, SPAN):
            for piece in (wanted[i : i + 500] for i in range(0, len(wanted), 500)):
                marks = ", ".join("?" * len(piece))
                with self._lock:
                    rows = self._db.execute(
                        f"SELECT number, body FROM {table} WHERE start = ? AND number IN ({marks})", (at, *piece)
                    ).fetchall()
                yield from rows

    def used(self) -> int:
        """Bytes of the file that hold something. Its write-ahead log comes on top: some MiB, emptied each half hour."""
        with self._lock:
            pages, free, size = (
                self._db.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return int((pages - free) * size)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=20, check_same_thread=False)
    try:
        db.execute("PRAGMA page_size = 8192")
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        # One process at a time: a second would wait here until the first is gone.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -1024")
        db.execute("PRAGMA journal_size_limit = 4194304")
        db.executescript(_SCHEMA)
        # Touches every table: a file that is no database, or whose roots are damaged, shows itself here.
        for table in ("entities", "scrapes", "chunks", "rollups"):
            db.execute(f"SELECT * FROM {table} LIMIT 1").fetchall()
    except BaseException:
        db.close()
        raise
    return db
