"""Secrets at rest: bound to their object, and brought to a new key while all goes on, whenever that is killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cluster import crypto, keyring, rotation
from cluster.cache import Cache
from cluster.crypto import Unreadable
from cluster.database import Database
from cluster.keyring import Keyring, KeyringError
from cluster.store import Key, Store, Write
from kube.errors import InternalError
from tests.cluster import sessions
from tests.cluster.test_store import both, database
from tests.conftest import ROOT

__all__ = ["both", "database"]  # fixtures of the store's tests


OF_BEFORE = b"k" * 32


def key(name: str) -> Key:
    return Key("secrets", "d", name)


def secret(name: str, value: str = "b2xk") -> dict[str, Any]:
    return {"kind": "Secret", "metadata": {"name": name, "namespace": "d", "uid": f"u-{name}"}, "data": {"p": value}}


def put(store: Store, name: str, value: str = "b2xk") -> int:
    return store.write(Write("create", key(name), secret(name, value))).revision


def value(store: Store, name: str) -> str:
    found = store.get(key(name))
    assert found is not None
    return str(found.obj["data"]["p"])


def swap(store: Store, one: str, other: str) -> None:
    """What somebody does who can write to the database, and has no key: each gets the other's value."""
    with store.database.writing():
        kept = dict(store.database.rows("SELECT name, body FROM cluster_change WHERE storage = 'secrets'"))
        for name, taken in ((one, other), (other, one)):
            where = (bytes(kept[taken]), name)
            store.database.execute("UPDATE cluster_change SET body = ? WHERE name = ?", where)


def quiet(written: int) -> None:
    """Whom nothing needs to be told."""


# -- bound to the object ---------------------------------------------------------------------------------------------


def test_a_value_that_was_copied_to_another_row_does_not_decrypt(both: Store) -> None:
    put(both, "mine")
    put(both, "theirs")
    put(both, "third")
    swap(both, "mine", "theirs")
    with pytest.raises(InternalError, match="secrets d/mine cannot be decrypted: its value was written for another"):
        both.get(key("mine"))
    assert value(both, "third") == "b2xk"
    rows = {row.key.name: row.obj for row in both.snapshot()[1]}
    assert "data" not in rows["mine"] and "another object" in rows["mine"]["unreadable"]
    assert rows["third"]["data"] == {"p": "b2xk"}, "one bad row does not take the others along"
    assert [b"unreadable" in change.body for change in both.changes_since(0)] == [True, True, False]
    assert [b"unreadable" in change.body for change in both.history(key("mine"))] == [True]


@pytest.mark.parametrize("part", ["cluster", "storage", "namespace", "name"])
def test_each_part_of_the_binding_counts(var: Path, part: str) -> None:
    kept = crypto.conceal(1, key("a"), b"{}")
    assert crypto.reveal(1, key("a"), kept) == b"{}"
    cluster = 2 if part == "cluster" else 1
    other = key("a") if part == "cluster" else key("a")._replace(**{part: "b"})
    with pytest.raises(Unreadable, match="another object or cluster, or was changed"):
        crypto.reveal(cluster, other, kept)


def test_parts_of_the_binding_do_not_run_together(var: Path) -> None:
    kept = crypto.conceal(1, Key("secrets", "a", "b"), b"{}")
    for other in (Key("secrets", "a/b", ""), Key("secrets", "", 'a","b'), Key("secrets", 'a","b', "")):
        with pytest.raises(Unreadable):
            crypto.reveal(1, other, kept)


def test_another_cluster_with_the_same_keys_does_not_decrypt(var: Path) -> None:
    kept = crypto.conceal(1, key("a"), b"{}")
    keyring.write_private(var / "keys" / keyring.IDENTITY, b"another\n")
    keyring.ring().all()
    with pytest.raises(Unreadable, match="another object or cluster"):
        crypto.reveal(1, key("a"), kept)


def test_what_is_not_encrypted_is_not_taken_for_a_secret(both: Store) -> None:
    put(both, "a")
    with both.database.writing():
        both.database.execute("UPDATE cluster_change SET body = ?", (orjson.dumps(secret("a", "cGxhbnRlZA==")),))
    with pytest.raises(InternalError, match="was not encrypted by this cluster"):
        both.get(key("a"))


def test_a_secret_that_cannot_be_read_is_neither_given_nor_changed_but_can_be_deleted(
    store: Store, cache: Cache
) -> None:
    session = sessions.make(cache, store)
    for name in ("a", "b"):
        session.create("secrets", sessions.NS, {"metadata": {"name": name}, "data": {"p": "b2xk"}})
    swap(store, "a", "b")
    fresh = Cache(store)
    fresh.start()
    session.cache = fresh
    with pytest.raises(InternalError, match="secrets work/a cannot be decrypted"):
        session.get("secrets", sessions.NS, "a")
    with pytest.raises(InternalError, match="secrets work/a cannot be decrypted"):
        session.mutate("secrets", sessions.NS, "a", lambda obj: obj.update(data={"p": "bmV3"}))
    session.delete("secrets", sessions.NS, "a")
    assert [entry.key.name for entry in fresh.list("secrets")] == ["b"]
    session.create("secrets", sessions.NS, {"metadata": {"name": "a"}, "data": {"p": "bmV3"}})
    assert session.get("secrets", sessions.NS, "a")["data"] == {"p": "bmV3"}  # type: ignore[index]
    fresh.close()


# -- key files -------------------------------------------------------------------------------------------------------


def test_the_last_file_encrypts_and_all_decrypt(tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "keys", tmp_path / "absent")
    with pytest.raises(KeyringError, match="there is no encryption key in"):
        ring.newest()
    ring.prepare()
    first = ring.newest()
    ring.prepare()
    assert ring.all() == [first], "what is there is left alone"
    second = ring.add()
    assert ring.newest() == second and ring.get(first.id) == first
    keyring.write_private(tmp_path / "keys" / "0003-by-hand.key", b"h" * 32)
    assert ring.newest().id == keyring.key_id(b"h" * 32), "a file that somebody puts there counts at once"
    assert ring.add().path.name.startswith("0004-")
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_a_key_has_the_same_id_wherever_it_lies(tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "keys", tmp_path / "absent")
    ring.prepare()
    first = ring.newest()
    first.path.rename(tmp_path / "keys" / "z.key")
    assert ring.newest().id == first.id


@pytest.mark.parametrize(
    "harm, says",
    [
        (lambda path: path.write_bytes(b"short"), "has 32 bytes, this file has 5"),
        (lambda path: path.chmod(0o604), "everybody on this machine may read this key.*chmod 600"),
        (lambda path: (path.parent / "cluster-id").unlink(), "cluster-id is missing"),
        (lambda path: path.rename(path.with_suffix(".old")), "there is no encryption key in"),
    ],
)
def test_what_is_wrong_with_the_keys_is_said(var: Path, harm: Callable[[Path], Any], says: str) -> None:
    harm(keyring.ring().newest().path)
    with pytest.raises(KeyringError, match=says):
        crypto.conceal(1, key("a"), b"{}")


def test_nobody_makes_a_key_that_the_cluster_could_not_read(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(KeyringError, match=r"belongs to the user with the number .*: make a new key as that user"):
        keyring.ring().add()
    assert len(keyring.ring().all()) == 1


def test_keys_may_lie_elsewhere(var: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINNACLE_KEYS", str(tmp_path / "mounted"))
    keyring.ring().prepare()
    kept = crypto.conceal(1, key("a"), b"{}")
    assert keyring.ring().newest().path.parent == tmp_path / "mounted"
    monkeypatch.delenv("BINNACLE_KEYS")
    with pytest.raises(Unreadable, match=r"needs the encryption key \w{16}, which is not in"):
        crypto.reveal(1, key("a"), kept)


# -- rotation --------------------------------------------------------------------------------------------------------


def fresh() -> None:
    """As a process that starts now: it knows the keys from the disk alone."""
    keyring._kept.cache_clear()


def all_with(store: Store) -> set[str]:
    """The ids of the keys that the values of the log name."""
    rows = store.database.rows("SELECT body FROM cluster_change WHERE storage = 'secrets'")
    return {bytes(body)[1 : crypto.PREFIX].hex() for (body,) in rows}


def test_a_rotation_reaches_the_history_too_and_leaves_revisions(both: Store) -> None:
    put(both, "a")
    both.write(Write("update", key("a"), secret("a", "bmV3")))
    put(both, "gone")
    both.write(Write("delete", key("gone"), secret("gone")))
    first, before = keyring.ring().newest(), both.changes_since(0)
    newest, found = rotation.rotate(both.database, quiet)
    assert (found.written, found.unreadable) == (4, [])
    assert all_with(both) == {newest.id.hex()} and newest.id != first.id
    assert rotation.drop_old(both.database) == [first] and not first.path.exists()
    fresh()
    assert both.changes_since(0) == before
    assert [orjson.loads(change.body)["data"]["p"] for change in both.history(key("a"))] == ["bmV3", "b2xk"]


def test_a_process_that_runs_goes_over_to_the_new_key_at_once(both: Store) -> None:
    """Two rings are two processes here: the one that rotates, and one that had read its keys before."""
    put(both, "a")
    running = keyring.ring()
    fresh()
    newest, _ = rotation.rotate(both.database, quiet)
    kept = bytes(both.database.value("SELECT body FROM cluster_change"))
    found = running.get(kept[1 : crypto.PREFIX])
    assert found is not None and found.id == newest.id, "it finds a key that it has not known"
    assert running.newest().id == newest.id, "and takes it for what it writes"


def test_a_reader_that_a_rotation_overtakes_reads_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "a")
    rows = store.database.rows

    def slowly(sql: str, parameters: Any = ()) -> Any:
        found = rows(sql, parameters)
        monkeypatch.setattr(store.database, "rows", rows)
        process = Database(store.database.url)
        rotation.rotate(process, quiet)
        assert rotation.drop_old(process)
        process.close()
        return found

    monkeypatch.setattr(store.database, "rows", slowly)
    assert store.snapshot()[1][0].obj["data"] == {"p": "b2xk"}


def test_a_key_that_a_value_names_is_not_dropped(both: Store) -> None:
    put(both, "a")
    put(both, "b")
    first = keyring.ring().newest()
    swap(both, "a", "b")
    newest, found = rotation.rotate(both.database, quiet)
    assert len(found.unreadable) == 2 and "secrets d/a cannot be decrypted" in found.unreadable[0]
    assert rotation.drop_old(both.database) == [], "whoever swaps them back must find the key"
    swap(both, "a", "b")
    assert rotation.rewrite(both.database, quiet).written == 2
    assert rotation.drop_old(both.database) == [first]
    assert value(both, "a") == "b2xk" and keyring.ring().all() == [newest]


def of_before(store: Store, name: str, value: str = "b2xk") -> None:
    """A value as versions before wrote it, with their one key."""
    path = keyring.ring()._before
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(OF_BEFORE)
    path.chmod(0o600)
    revision, nonce = put(store, name, value), os.urandom(12)
    body = orjson.dumps(secret(name, value))
    kept = crypto.UNBOUND + nonce + AESGCM(OF_BEFORE).encrypt(nonce, body, None)
    with store.database.writing():
        store.database.execute("UPDATE cluster_change SET body = ? WHERE revision = ?", (kept, revision))


def test_values_of_before_are_read_until_a_rotation_has_bound_them(both: Store) -> None:
    of_before(both, "a")
    of_before(both, "b", "Yg==")
    old = bytes(both.database.value("SELECT body FROM cluster_change WHERE name = 'b'"))
    assert value(both, "a") == "b2xk"
    rotation.rewrite(both.database, quiet)
    fresh()
    assert not keyring.ring()._before.exists()
    assert (value(both, "a"), value(both, "b")) == ("b2xk", "Yg==")
    with both.database.writing():
        both.database.execute("UPDATE cluster_change SET body = ? WHERE name = 'a'", (old,))
    with pytest.raises(InternalError, match="bound to no object, as versions before wrote them"):
        both.get(key("a"))


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def dies_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the process end at the n-th thing that it does to a file or to the database, before or after doing it."""
    left = 0

    def step(done: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed
            found = done(*args, **options)
            left -= 1
            if left == 0:
                raise Killed
            return found

        return stepped

    def arm(number: int) -> None:
        nonlocal left
        left = number

    for where, name in ((Database, "execute"), (Database, "executemany"), (os, "fsync")):
        monkeypatch.setattr(where, name, step(getattr(where, name)))
    for name in ("rename", "unlink"):
        monkeypatch.setattr(Path, name, step(getattr(Path, name)))
    return arm


def test_it_may_end_at_any_step(store: Store, dies_at: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 2)
    for name in ("a", "b", "c"):
        put(store, name)
    of_before(store, "d")
    first, number = keyring.ring().all(), 0
    while True:
        number += 1
        fresh()
        process = Database(store.database.url)
        dies_at(number)
        try:
            rotation.rotate(process, quiet)
            rotation.drop_old(process)
            break
        except Killed:
            dies_at(0)
            process.close()
            fresh()
            assert [value(store, name) for name in "abcd"] == ["b2xk"] * 4, f"after step {number}"
    dies_at(0)
    fresh()
    assert number > 20
    assert len(keyring.ring().all()) == 1 and keyring.ring().newest() not in first
    assert [value(store, name) for name in "abcd"] == ["b2xk"] * 4


@pytest.fixture
def writing(both: Store) -> Iterator[list[str]]:
    """Somebody else who writes secrets all the time; the names of those that were acknowledged."""
    done, stop = list[str](), threading.Event()

    def work() -> None:
        other = Store(Database(both.database.url))
        while not stop.is_set():
            put(other, f"w{len(done)}")
            done.append(f"w{len(done)}")
        other.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield done
    stop.set()
    thread.join()


@pytest.mark.serial
def test_it_may_be_killed_and_begun_again_while_others_write(both: Store, var: Path, writing: list[str]) -> None:
    chance = random.Random(9)
    both.write_many([Write("create", key(f"s{n}"), secret(f"s{n}")) for n in range(1_500)])
    command = [sys.executable, "manage.py", "rotate_keys", "--skip-checks", "--drop-old"]
    env = {**os.environ, "BINNACLE_VAR": str(var), "DATABASE_URL": both.database.url, "PYTHONPATH": ""}
    first = keyring.ring().newest()
    for _ in range(3):
        child = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE)
        assert child.stdout is not None
        for _ in range(chance.randrange(1, 4)):
            assert b"were encrypted anew" in child.stdout.readline()
        child.kill()
        child.communicate(timeout=30)
        assert value(both, "s0") == value(both, "s1499") == "b2xk"
        assert first.path.exists()
    done = subprocess.run(command, cwd=ROOT, env=env, text=True, capture_output=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert f"Dropped: {first.id.hex()}" in done.stdout
    seen = len(writing)
    fresh()
    assert not first.path.exists() and first.id.hex() not in all_with(both)
    found = {row.key.name for row in both.snapshot()[1] if b"unreadable" not in row.body}
    assert found >= {*(f"s{n}" for n in range(1_500)), *writing[:seen]} and seen
