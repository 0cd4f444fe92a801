"""Logs of pods that are gone stay for a while, and take no more than a bound."""

from __future__ import annotations

from pathlib import Path

from kubelet.logs.dead import DeadLogs

KIB = 1024


def folder(root: Path, uid: str, size: int = 4 * KIB) -> str:
    made = root / f"shop_web_{uid}"
    (made / "main").mkdir(parents=True)
    (made / "main" / "0.log").write_bytes(b"x" * size)
    return made.name


def left(root: Path) -> set[str]:
    return {entry.name.rpartition("_")[2] for entry in root.iterdir()}


def sweep(dead: DeadLogs, known: set[str], now: float, pressed: bool = False) -> None:
    dead.sweep(dead.names(), known, now, pressed)


def test_they_go_when_they_have_been_dead_long_enough(tmp_path: Path) -> None:
    dead = DeadLogs(tmp_path, kept=600, most=1 << 30)
    for uid in ("lives", "first", "second"):
        folder(tmp_path, uid)
    sweep(dead, {"lives", "second"}, 1000)
    sweep(dead, {"lives"}, 1100)
    sweep(dead, {"lives"}, 1599)
    assert left(tmp_path) == {"lives", "first", "second"}
    sweep(dead, {"lives"}, 1600)
    assert left(tmp_path) == {"lives", "second"}
    sweep(dead, {"lives"}, 1700)
    assert left(tmp_path) == {"lives"}


def test_the_oldest_go_first_when_they_are_too_many_and_none_of_a_pod_that_lives(tmp_path: Path) -> None:
    dead = DeadLogs(tmp_path, kept=600, most=100 * KIB)
    for number, uid in enumerate(("a", "b", "c")):
        folder(tmp_path, uid, 40 * KIB)
        folder(tmp_path, f"lives-{uid}", 400 * KIB)
        sweep(dead, {"lives-a", "lives-b", "lives-c"}, 60.0 * number)
    assert left(tmp_path) == {"b", "c", "lives-a", "lives-b", "lives-c"}


def test_a_disk_that_is_needed_gets_all_of_them(tmp_path: Path) -> None:
    dead = DeadLogs(tmp_path)
    folder(tmp_path, "a")
    folder(tmp_path, "lives")
    sweep(dead, {"lives"}, 0, pressed=True)
    assert left(tmp_path) == {"lives"}


def test_a_folder_of_a_pod_that_came_after_the_look_stays(tmp_path: Path) -> None:
    dead = DeadLogs(tmp_path, most=0)
    names = dead.names()
    folder(tmp_path, "new")
    dead.sweep(names, set(), 0, pressed=True)
    assert left(tmp_path) == {"new"}


def test_without_a_folder_there_is_nothing_to_do(tmp_path: Path) -> None:
    sweep(DeadLogs(tmp_path / "none"), set(), 0)
    assert not list(tmp_path.iterdir()), "nor is one made"
