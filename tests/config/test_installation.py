"""Clusters side by side on one machine: each has address ranges that no other has that runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from config import installation


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes the cluster in a folder one that runs: of this machine's processes there is only its supervisor."""
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "meminfo").write_text("")
    monkeypatch.setattr(installation, "PROC", proc)

    def run(folder: Path) -> None:
        words = ["python", "-m", "supervisor.supervisord", "-n", "-c", f"{folder}/supervisord.conf", ""]
        (proc / "42").mkdir()
        (proc / "42" / "cmdline").write_text("\0".join(words))

    return run


def folder(tmp_path: Path, name: str, slot: int | None = None) -> Path:
    made = tmp_path / name
    made.mkdir()
    if slot is not None:
        kept = {**json.loads((tmp_path / "first" / "config.json").read_text()), "slot": slot, "var": str(made)}
        (made / "config.json").write_text(json.dumps(kept))
    return made


@pytest.fixture
def slot(tmp_path: Path, runs: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch) -> int:
    """The slot of a cluster in `first`, the name of which is as good as any other."""
    monkeypatch.setattr(installation.zlib, "crc32", lambda name: 5)
    return installation.load(folder(tmp_path, "first"), 8080, 6443).slot


def test_a_slot_follows_from_the_folder_unless_a_cluster_that_runs_has_it(
    tmp_path: Path, slot: int, runs: Callable[[Path], None]
) -> None:
    assert installation.load(folder(tmp_path, "idle"), 8080, 6443).slot == slot
    runs(tmp_path / "first")
    beside = installation.load(folder(tmp_path, "beside"), 8181, 7443)
    first = installation.load(tmp_path / "first", 8080, 6443)
    assert beside.slot != slot == first.slot
    assert {beside.pod_cidr, beside.service_cidr}.isdisjoint({first.pod_cidr, first.service_cidr})
    assert installation.load(tmp_path / "beside", 8181, 7443) == beside, "it stays as it was first decided"


def test_a_cluster_is_not_started_into_the_ranges_of_one_that_runs(
    tmp_path: Path, slot: int, runs: Callable[[Path], None]
) -> None:
    runs(tmp_path / "first")
    with pytest.raises(ValueError, match=r"same address ranges .*first.* make down VAR="):
        installation.load(folder(tmp_path, "second", slot), 8181, 7443)
    # An ordinary user's cluster beside one of root's has other addresses, whatever its slot.
    kept = tmp_path / "first" / "config.json"
    kept.write_text(json.dumps({**json.loads(kept.read_text()), "privileged": os.geteuid() != 0}))
    assert installation.load(tmp_path / "second", 8181, 7443).slot == slot
