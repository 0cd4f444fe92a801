"""What the store promises when things break: writers killed at any instant, a full disk, a database that goes away."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.database import Database
from cluster.store import Store, Write
from kube.errors import ApiError, StorageFull
from tests.cluster.test_store import both, create, database, key, pod
from tests.conftest import ROOT

__all__ = ["both", "database"]  # fixtures of the store's tests


def writer(url: str, prefix: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cluster.writer", url, prefix], cwd=ROOT, stdout=subprocess.PIPE
    )


def acknowledged(child: subprocess.Popen[bytes]) -> Iterator[tuple[int, str]]:
    """What a killed writer had been told; neither the first line, which lacks its beginning, nor one that was cut off."""
    output = child.communicate(timeout=30)[0].decode()
    for line in output[: output.rfind("\n") + 1].splitlines()[1:]:
        revision, name = line.split()
        yield int(revision), name


def test_nothing_acknowledged_is_lost_when_writers_are_killed(both: Store) -> None:
    rng = random.Random(5)
    promised: dict[int, str] = {}
    for round in range(5):
        children = [writer(both.database.url, f"r{round}p{n}") for n in range(2)]
        for child in children:
            assert child.stdout and child.stdout.read(1)  # it writes; the digit is lost
        time.sleep(rng.uniform(0.05, 0.3))
        for child in children:
            child.kill()
        for child in children:
            lines = list(acknowledged(child))
            promised.update(lines)
        assert create(both, f"alive{round}").revision == both.revision(), "the lock of a dead writer is free"
    log = both.changes_since(0, 1_000_000)
    assert [change.revision for change in log] == list(range(1, len(log) + 1)), "no gap, no duplicate"
    written = {change.revision: change.key.name for change in log}
    assert len(promised) > 50 and promised.items() <= written.items()
    assert {row.revision for row in both.snapshot()[1]} == set(written)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system: only root may")
def test_a_full_disk_refuses_writes_reads_go_on_and_it_recovers(migrated: Path, tmp_path: Path) -> None:
    """In a mount namespace of its own; the script checks itself."""
    place = tmp_path / "small"
    place.mkdir()
    script = (
        f'mount -t tmpfs -o size=4m tmpfs {place} && cp {migrated}/cluster.db {place}/ && exec "$0" -c "$1" {place}'
    )
    code = "import sys; from tests.cluster.test_durability import fill; fill(sys.argv[1])"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, sys.executable, code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "unshare failed" in done.stderr or "permission denied" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr


def fill(place: str) -> None:
    """Write until the disk is full, read, make room, write on."""
    ballast = Path(place) / "ballast"
    ballast.write_bytes(b"x" * 1_000_000)
    store = Store(Database(f"sqlite:///{place}/cluster.db"))
    count = 0
    try:
        while True:
            create(store, f"p{count}", text="x" * 5000)
            count += 1
    except StorageFull as error:
        assert error.code == 507 and "disk" in error.message
    assert count > 10 and store.revision() == count
    found = store.get(key("p3"))
    assert found is not None and found.obj["spec"]["text"] == "x" * 5000
    ballast.unlink()
    assert create(store, "more").revision == count + 1
    store.close()


def test_a_file_that_may_not_grow_refuses_writes_and_recovers(store: Store) -> None:
    create(store, "a")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = Path(store.database.path + "-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        with pytest.raises(ApiError, match="nothing was written") as refused:
            store.write_many([Write("create", key(f"b{n}"), pod(f"b{n}", text="x" * 4000)) for n in range(50)])
        assert refused.value.code in (503, 507)
        assert store.get(key("a")) is not None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert create(store, "b").revision == 2


def test_a_cut_connection_is_made_anew(postgres_url: str, var: Path) -> None:
    store = Store(Database(postgres_url))
    other = Database(postgres_url)
    try:
        first = create(store, "a")
        for round in range(3):
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND datname = current_database()"
            )
            assert store.get(key("a")) == first, "a read finds a new connection"
            assert create(store, f"b{round}").revision == round + 2, "so does a write that had not begun"
        assert [change.key.name for change in store.changes_since(0)] == ["a", "b0", "b1", "b2"]
    finally:
        other.close()
        store.close()
