"""A backup holds the state whole; a restore brings it back in one step, or says why not."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cluster import crypto
from cluster.backup import BackupError, backup, restore
from cluster.cache import Cache
from cluster.store import Key, Store, Write
from kube.errors import ClaimTaken


def put(store: Store, name: str, storage: str = "pods", claims: list[tuple[str, str]] | None = None) -> None:
    body = {"metadata": {"name": name, "uid": f"u-{name}"}}
    store.write(Write("create", Key(storage, "d", name), body, claims=claims))


def test_restore_brings_back_what_was_there(store: Store, cache: Cache, tmp_path: Path) -> None:
    put(store, "kept")
    put(store, "s", "secrets")
    put(store, "svc", "services", [("clusterip", "10.96.0.9")])
    assert backup(store, tmp_path / "b.gz") == 3
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


def test_another_key_is_named(store: Store, var: Path, tmp_path: Path) -> None:
    put(store, "s", "secrets")
    backup(store, tmp_path / "b.gz")
    (var / "pki" / "encryption.key").write_bytes(b"o" * 32)
    crypto._cipher.cache_clear()
    with pytest.raises(BackupError, match="another encryption key"):
        restore(store, tmp_path / "b.gz")
    crypto._cipher.cache_clear()


def test_a_full_disk_leaves_the_old_backup(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="cannot be written"):
        backup(store, tmp_path / "absent" / "b.gz")
