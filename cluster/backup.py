"""Backup and restore of a cluster's objects, consistent while everything runs.

A backup is a gzip file of JSON lines: a header, a line per object, and an end line with their count and checksum.
Bodies are as they are kept: those of secrets stay encrypted. The header names the keys that they need (`cluster.keyring`),
which must be kept apart from the backup, and be in place before a restore; and the cluster that they are bound to, so that
another one that has the keys can restore it too.

A restore is one atomic batch of ordinary writes: whoever watches the cluster sees it turn into the backup's state.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import orjson

from cluster import crypto, keyring
from cluster.keyring import KeyringError
from cluster.store import Key, Store, Stored, Write
from kube import clock
from kube.errors import ApiError
from kube.objects import Json

FORMAT, UNBOUND_FORMAT = "binnacle-backup/2", "binnacle-backup/1"  # the older one is still read


class BackupError(Exception):
    """A file that cannot be written, or read as a backup; the message says why."""


def backup(store: Store, path: Path) -> tuple[int, list[str]]:
    """Write the newest state to `path`, whole or not at all; returns the number of objects, and the keys' ids it needs."""
    revision, rows = store.snapshot()
    claims = store.database.rows("SELECT owner, scope, value FROM cluster_claim WHERE cluster_id = ?", (store.cluster,))
    ring = keyring.ring()
    try:
        header: Json = {
            "format": FORMAT,
            "revision": revision,
            "created": clock.now(),
            "claims": claims,
            "cluster": store.cluster,
            "identity": ring.identity,
        }
        bodies = [_concealed(store, row) for row in rows]
    except (ApiError, KeyringError) as error:
        raise BackupError(f"nothing was written: {error}") from error
    # Read from the bodies: a rotation may have made another key the newest in between.
    header["keys"] = keys = sorted({body[1 : crypto.PREFIX].hex() for body in bodies if body.startswith(crypto.MARK)})
    digest = hashlib.blake2b(digest_size=16)
    scratch = path.with_name(path.name + ".new")
    try:
        with open(os.open(scratch, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as raw:
            with gzip.open(raw, "wb", compresslevel=6) as out:
                out.write(first := orjson.dumps(header) + b"\n")
                digest.update(first)
                for row, body in zip(rows, bodies, strict=True):
                    line = {"key": list(row.key), "body": base64.b64encode(body).decode()}
                    data = orjson.dumps(line) + b"\n"
                    digest.update(data)
                    out.write(data)
                out.write(orjson.dumps({"end": len(rows), "checksum": digest.hexdigest()}) + b"\n")
            raw.flush()
            os.fsync(raw.fileno())
        scratch.rename(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise BackupError(f"{path} cannot be written: {error.strerror}") from error
    return len(rows), keys


def _concealed(store: Store, row: Stored) -> bytes:
    crypto.check(row.body)
    return crypto.conceal(store.cluster, row.key, row.body)


def restore(store: Store, path: Path) -> int:
    """Make the cluster as it was when the backup was made; returns the number of objects. All of it or nothing."""
    header, objects = read(path)
    claims: dict[str, list[tuple[str, str]]] = {}
    for owner, scope, value in header["claims"]:
        claims.setdefault(owner, []).append((scope, value))
    _, present = store.snapshot()
    writes = [Write("delete", row.key, row.obj, expect=row.revision) for row in present]
    writes += [Write("create", key, body, claims=claims.get("/".join(key), ())) for key, body in objects]
    failed = [result for result in store.write_many(writes, atomic=True) if isinstance(result, ApiError)]
    if failed:
        raise BackupError(f"nothing was restored: {failed[0].message} (the cluster changed meanwhile: try again)")
    return len(objects)


def read(path: Path) -> tuple[Json, list[tuple[Key, Json]]]:
    """The header and the objects of a backup, checked. Raises BackupError."""
    try:
        lines = list(_lines(path))
    except (OSError, EOFError, orjson.JSONDecodeError) as error:
        raise BackupError(f"{path} cannot be read as a backup: {error}") from error
    if not lines or lines[0].get("format") not in (FORMAT, UNBOUND_FORMAT):
        raise BackupError(f"{path} is no backup in the format {FORMAT}")
    header, ring = lines[0], keyring.ring()
    try:
        missing = [number for number in header.get("keys", ()) if ring.get(bytes.fromhex(number)) is None]
        if missing:
            raise BackupError(
                f"{path} needs the encryption key {' and '.join(missing)}, which is not in {ring.folder}: "
                "put its file there, and restore again"
            )
        return header, [(key := Key(*line["key"]), _body(header, key, line["body"])) for line in lines[1:]]
    except (crypto.Unreadable, KeyringError) as error:
        raise BackupError(f"{path} cannot be restored: {error}") from error


def _body(header: Json, key: Key, kept: str) -> Json:
    data = base64.b64decode(kept)
    if header["format"] == UNBOUND_FORMAT and data.startswith(crypto.UNBOUND):
        body = crypto.reveal_unbound(key, data, keyring.ring().all())
    else:
        body = crypto.reveal(header.get("cluster", 1), key, data, header.get("identity", ""))
    found: Json = orjson.loads(body)
    return found


def _lines(path: Path) -> Iterator[Json]:
    digest, count = hashlib.blake2b(digest_size=16), -1
    with gzip.open(path, "rb") as packed, io.BufferedReader(packed) as source:
        for data in source:
            line = orjson.loads(data)
            if "end" in line:
                if line["end"] != count or line["checksum"] != digest.hexdigest():
                    raise EOFError("its checksum does not match")
                return
            digest.update(data)
            count += 1
            yield line
    raise EOFError("its end is missing")
