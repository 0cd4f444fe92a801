"""Positions outlive kills, torn lines and full disks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from logs.ship import positions
from logs.ship.positions import Positions
from logs.ship.series import Position

ONE, TWO = Position("a", 10, 1), Position("b:1", 20, 2, "2026-11-21T06:19:10.000000000Z", (("stdout", "b", 30),), "a")


def test_positions_are_there_after_a_restart(tmp_path: Path) -> None:
    kept = Positions(tmp_path)
    kept.save({"/one": ONE, "/two": ONE, "/three": ONE})
    kept.save({"/two": TWO, "/three": None})  # not closed: killed
    again = Positions(tmp_path)
    assert (again.get("/one"), again.get("/two"), again.get("/three")) == (ONE, TWO, None)


def test_a_torn_end_is_left_out(tmp_path: Path) -> None:
    kept = Positions(tmp_path)
    kept.save({"/one": ONE})
    with (tmp_path / "positions").open("ab") as file:
        file.write(b'["/two",["b",2')
    again = Positions(tmp_path)
    assert again.get("/one") == ONE and again.get("/two") is None
    again.save({"/two": TWO})
    assert Positions(tmp_path).get("/two") == TWO


def test_the_journal_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "COMPACT", 1000)
    kept = Positions(tmp_path)
    for offset in range(1000):
        kept.save({"/one": ONE._replace(offset=offset)})
    assert (tmp_path / "positions").stat().st_size < 2000
    found = Positions(tmp_path).get("/one")
    assert found is not None and found.offset == 999


def test_a_full_disk_is_told_and_outlived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Positions(tmp_path)
    kept.save({"/one": ONE})

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        kept.save({"/two": TWO})
        assert "No space" in kept.failing and kept.get("/two") == TWO
        assert Positions(tmp_path).get("/one") == ONE
    kept.save({})
    assert not kept.failing and Positions(tmp_path).get("/two") == TWO
