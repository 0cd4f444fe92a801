"""Backup and restore of a cluster's objects, consistent while everything runs.

A backup is a gzip file of JSON lines: a header, a line per object, and an end line with their count and checksum.
Bodies are as they are kept: those of secrets stay encrypted with the installation's key (`pki/encryption.key`), which
must be kept apart from the backup, and be in place before a restore.

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

from cluster import crypto
from cluster.store import Key, Store, Write
from kube import clock
from kube.errors import ApiError
from kube.objects import Json

FORMAT = "binnacle-backup/1"


class BackupError(Exception):
    """A file that cannot be written, or read as a backup; the message says why."""


def backup(store: Store, path: Path) -> int:
    """Write the newest state to `path`, whole or not at all; returns the number of objects."""
    revision, rows = store.snapshot()
    claims = store.database.rows("SELECT owner, scope, value FROM cluster_claim WHERE cluster_id = ?", (store.cluster,))
    header = {"format": FORMAT, "revision": revision, "created": clock.now(), "claims": claims}
    digest = hashlib.blake2b(digest_size=16)
    scratch = path.with_name(path.name + ".new")
    try:
        with open(os.open(scratch, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as raw:
            with gzip.open(raw, "wb", compresslevel=6) as out:
                out.write(first := orjson.dumps(header) + b"\n")
                digest.update(first)
                for row in rows:
                    body = base64.b64encode(crypto.conceal(row.key.storage, row.body)).decode()
                    line = {"key": list(row.key), "body": body}
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
    return len(rows)


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
    if not lines or lines[0].get("format") != FORMAT:
        raise BackupError(f"{path} is no backup in the format {FORMAT}")
    objects = [(Key(*line["key"]), _body(path, line["body"])) for line in lines[1:]]
    return lines[0], objects


def _body(path: Path, kept: str) -> Json:
    from cryptography.exceptions import InvalidTag

    try:
        body: Json = orjson.loads(crypto.reveal(base64.b64decode(kept)))
        return body
    except InvalidTag as error:
        where = crypto.key_path()
        raise BackupError(f"{path} was made with another encryption key: put that key at {where}") from error


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
