"""A new key for secrets, while the cluster runs: made, then everything is encrypted with it, then old keys may be dropped.

1. A new file in the folder of keys. Each commit looks which key is the newest, inside its transaction: after one turn as
   the writer nothing more is committed with an older one.
2. Every value of the log that another key encrypts, those of the history too, is written anew: `BATCH` in a transaction.
   Their revisions stay, so that no reader notices.
3. The key of an installation from before, whose values are bound to no object, becomes one key of the folder: from then on
   such values are not read any more.
4. Where it was asked for: the keys that no value names are removed.

It may be killed at any moment and begun again: what is done is found done, and no second key is made before all values
have the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cluster import crypto, keyring
from cluster.changes import Key
from cluster.database import Database
from cluster.keyring import EncryptionKey, KeyringError

BATCH = 200
_STORAGES = ",".join(f"'{storage}'" for storage in sorted(crypto.ENCRYPTED_STORAGES))

Tell = Callable[[int], None]
"""Called after each transaction with the number of values that have been written."""


class Rewritten(NamedTuple):
    """How many values were encrypted anew, and why others could not be: one sentence each."""

    written: int
    unreadable: list[str]


def rotate(database: Database, tell: Tell) -> tuple[EncryptionKey, Rewritten]:
    """Steps 1 to 3. A rotation that was not finished is finished instead. Raises KeyringError."""
    found = rewrite(database, tell)
    ring = keyring.ring()
    if not (found.written and len(ring.all()) > 1):
        ring.add()
        found = rewrite(database, tell)
    return ring.newest(), found


def rewrite(database: Database, tell: Tell) -> Rewritten:
    """Steps 2 and 3: bring every value to the newest key. Raises KeyringError."""
    ring, written = keyring.ring(), 0
    while True:
        with database.writing():
            newest = ring.newest()
        unreadable, at = list[str](), 0
        while rows := _outdated(database, at):
            at = rows[-1][0]
            with database.writing():
                done, failed = _again(rows)
                database.executemany("UPDATE cluster_change SET body = ? WHERE revision = ?", done)
            written += len(done)
            unreadable += failed
            tell(written)
        if ring.newest().id == newest.id:  # else somebody made another meanwhile
            break
    ring.retire()
    return Rewritten(written, unreadable)


def drop_old(database: Database) -> list[EncryptionKey]:
    """Step 4: remove every key but the newest that no value names; returns them. Raises KeyringError."""
    ring = keyring.ring()
    with database.writing():
        newest, there = ring.newest(), ring.all()
    if ring.unbound:
        raise KeyringError("values are bound to no object yet: rotate first")
    rows = database.rows(f"SELECT DISTINCT substr(body, 2, 8) FROM cluster_change WHERE storage IN ({_STORAGES})")
    needed = {newest.id, *(bytes(number) for (number,) in rows)}
    dropped = [key for key in there if key.id not in needed]
    for key in dropped:
        ring.drop(key)
    return dropped


def _outdated(database: Database, after: int) -> list[tuple[Any, ...]]:
    """The next values after a revision, in order, that the newest key did not encrypt."""
    return database.rows(
        "SELECT revision, cluster_id, storage, namespace, name, body FROM cluster_change WHERE revision > ?"
        f" AND storage IN ({_STORAGES}) AND substr(body, 1, {crypto.PREFIX}) <> ? ORDER BY revision LIMIT {BATCH}",
        (after, crypto.prefix()),
    )


def _again(rows: list[tuple[Any, ...]]) -> tuple[list[tuple[bytes, int]], list[str]]:
    done, failed = list[tuple[bytes, int]](), list[str]()
    for revision, cluster, storage, namespace, name, body in rows:
        key = Key(storage, namespace, name)
        try:
            done.append((crypto.conceal(cluster, key, crypto.reveal(cluster, key, bytes(body))), revision))
        except crypto.Unreadable as error:
            failed.append(f"{error} (revision {revision})")
    return done, failed
