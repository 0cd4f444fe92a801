"""A backup holds the state whole; a restore brings it back in one step, or says why not."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import shutil
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cluster import crypto, keyring, rotation
from cluster.backup import BackupError, backup, restore
from cluster.cache import Cache
from cluster.database import Database
from cluster.store import Key, Store, Write
from kube.errors import ClaimTaken


def put(store: Store, name: str, storage: str = "pods", claims: list[tuple[str, str]] | None = None) -> None:
    body = {"metadata": {"name": name, "uid": f"u-{name}"}}
    store.write(Write("create", Key(storage, "d", name), body, claims=claims))


def test_restore_brings_back_what_was_there(store: Store, cache: Cache, tmp_path: Path) -> None:
    put(store, "kept")
    put(store, "s", "secrets")
    put(store, "svc", "services", [("clusterip", "10.96.0.9")])
    assert backup(store, tmp_path / "b.gz")[0] == 3
    store.write(Write("delete", Key("pods", "d", "kept"), {"metadata": {"name": "kept"}}))
    put(store, "later")
    assert restore(store, tmp_path / "b.gz") == 3
    assert {e.key.name for e in cache.list("pods")} == {"kept"}
    assert cache.get(Key("secrets", "d", "s")).meta.uid == "u-s"  # type: ignore[union-attr]
    with pytest.raises(ClaimTaken):
        put(store, "other", "services", [("clusterip", "10.96.0.9")])


def test_a_backup_does_not_hold_secrets_in_the_clear(store: Store, tmp_path: Path) -> None:
    store.write(Write("create", Key("secrets", "d", "s"), {"metadata": {"name": "s"}, "data": {"p": "aHVudGVyMg=="}}))
    backup(store, tmp_path / "b.gz")
    assert b"aHVudGVy" not in gzip.decompress((tmp_path / "b.gz").read_bytes())


@pytest.mark.parametrize("harm", ["cut", "changed", "other"])
def test_a_damaged_backup_changes_nothing(store: Store, tmp_path: Path, harm: str) -> None:
    put(store, "kept")
    path = tmp_path / "b.gz"
    backup(store, path)
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    damaged = {"cut": lines[:-1], "changed": [lines[0], *lines[2:]], "other": [b'{"a":1}\n']}[harm]
    path.write_bytes(gzip.compress(b"".join(damaged)))
    before = store.revision()
    with pytest.raises(BackupError, match=r"b\.gz"):
        restore(store, path)
    assert store.revision() == before


def test_a_backup_names_its_keys_and_nothing_is_restored_without_them(store: Store, var: Path, tmp_path: Path) -> None:
    put(store, "s", "secrets")
    old = keyring.ring().newest()
    assert backup(store, tmp_path / "b.gz") == (1, [old.id.hex()])
    kept = old.path.read_bytes()
    rotation.rotate(store.database, lambda written: None)
    assert rotation.drop_old(store.database)
    put(store, "later", "secrets")
    before = store.revision()
    with pytest.raises(BackupError, match=f"needs the encryption key {old.id.hex()}, which is not in {var}/keys: put"):
        restore(store, tmp_path / "b.gz")
    assert store.revision() == before
    keyring.write_private(old.path, kept)
    assert restore(store, tmp_path / "b.gz") == 1
    assert [row.key.name for row in store.snapshot()[1]] == ["s"]


def test_another_cluster_that_has_the_keys_restores_a_backup(
    store: Store, var: Path, migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "s", "secrets")
    backup(store, tmp_path / "b.gz")
    old = keyring.ring().newest()
    shutil.copytree(migrated, tmp_path / "other", ignore=shutil.ignore_patterns("keys"))
    monkeypatch.setenv("BINNACLE_VAR", str(tmp_path / "other"))
    keyring.ring().prepare()
    other = Store(Database(f"sqlite:///{tmp_path}/other/cluster.db"))
    with pytest.raises(BackupError, match="needs the encryption key"):
        restore(other, tmp_path / "b.gz")
    keyring.write_private(tmp_path / "other" / "keys" / f"0000-{old.id.hex()}.key", old.path.read_bytes())
    assert restore(other, tmp_path / "b.gz") == 1
    assert other.get(Key("secrets", "d", "s")).obj["metadata"]["uid"] == "u-s"  # type: ignore[union-attr]
    other.close()


def test_a_backup_of_before_is_restored_with_the_key_of_its_time(store: Store, tmp_path: Path) -> None:
    """As versions before wrote it: values that are bound to nothing, and no word of keys."""
    key = os.urandom(32)
    nonce, body = os.urandom(12), orjson.dumps({"metadata": {"name": "s", "uid": "u-s"}, "data": {"a": "Yg=="}})
    kept = crypto.UNBOUND + nonce + AESGCM(key).encrypt(nonce, body, None)
    lines = [
        {"format": "binnacle-backup/1", "revision": 1, "created": "2026-01-01T00:00:00Z", "claims": []},
        {"key": ["secrets", "d", "s"], "body": base64.b64encode(kept).decode()},
    ]
    data = b"".join(orjson.dumps(line) + b"\n" for line in lines)
    end = {"end": 1, "checksum": hashlib.blake2b(data, digest_size=16).hexdigest()}
    (tmp_path / "b.gz").write_bytes(gzip.compress(data + orjson.dumps(end) + b"\n"))
    with pytest.raises(BackupError, match="encrypted with a key that is not here"):
        restore(store, tmp_path / "b.gz")
    keyring.write_private(keyring.ring().folder / "0000-of-before.key", key)
    assert restore(store, tmp_path / "b.gz") == 1
    assert store.get(Key("secrets", "d", "s")).obj["data"] == {"a": "Yg=="}  # type: ignore[union-attr]


def test_what_cannot_be_read_is_not_left_out_of_a_backup(store: Store, tmp_path: Path) -> None:
    put(store, "s", "secrets")
    put(store, "t", "secrets")
    with store.database.writing():
        store.database.execute("UPDATE cluster_change SET name = 'u' WHERE name = 't'")
        store.database.execute("UPDATE cluster_object SET name = 'u' WHERE name = 't'")
    with pytest.raises(BackupError, match="nothing was written: secrets d/u cannot be decrypted"):
        backup(store, tmp_path / "b.gz")
    assert not (tmp_path / "b.gz").exists()


def test_a_full_disk_leaves_the_old_backup(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="cannot be written"):
        backup(store, tmp_path / "absent" / "b.gz")
