"""The history over restarts, kills, bad files, and the bounds in time and on the disk."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.history.entities import CONTAINER, NODE, Entity
from monitoring.history.figures import CPU, MEMORY, NOTHING
from monitoring.history.head import Sample
from monitoring.history.history import History
from monitoring.history.store import KEEP_CHUNKS, SPAN
from tests.conftest import ROOT

START = 1_800_000_000 // SPAN * SPAN
WEB = Entity(CONTAINER, "n1", "shop", "Deployment/web", "web-1", "app")
LIMIT = 1 << 30


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = History(tmp_path, LIMIT)
    yield made
    made.close()


def row(cpu: int, memory: int) -> list[int]:
    made = list(NOTHING)
    made[CPU], made[MEMORY] = cpu, memory
    return made


def scrape(history: History, at: int, *entities: Entity, noise: bool = False) -> None:
    """One scrape at `at` (seconds): the values follow from the time."""
    numbers = history.number(entities, at * 1000)
    history.add(
        at * 1000,
        [
            Sample(numbers[e], at * 1000, row(at * 1000 + i, random.getrandbits(50) if noise else at))
            for i, e in enumerate(entities)
        ],
    )


def known(
    history: History, entity: Entity = WEB, figure: int = MEMORY, start: int = START, end: int = START + 10 * SPAN
) -> dict[int, int]:
    """Samples by second."""
    number = history.number([entity], start * 1000)[entity]
    found: dict[int, int] = {}
    for _, pieces in history.samples([number], (figure,), start * 1000, end * 1000):
        found.update({at // 1000: value for at, value in zip(*pieces[figure], strict=True)})
    return found


def test_samples_come_back_from_memory_and_from_the_file(history: History) -> None:
    times = range(START, START + 2 * SPAN + 60, 15)
    for at in times:
        scrape(history, at, WEB)
    assert known(history) == {at: at for at in times}
    assert len(history.store.scrapes()) == 4  # only those of the half hour that is open


def test_a_restart_loses_nothing(history: History, tmp_path: Path) -> None:
    for at in range(START, START + SPAN + 300, 15):
        scrape(history, at, WEB)
    before = known(history)
    history.store.close()
    again = History(tmp_path, LIMIT)
    assert known(again) == before
    scrape(again, START + SPAN + 315, WEB)
    assert len(known(again)) == len(before) + 1
    again.close()


def test_the_same_reading_is_kept_once(history: History) -> None:
    scrape(history, START, WEB)
    number = history.number([WEB], START * 1000)[WEB]
    history.add(START * 1000 + 15_000, [Sample(number, START * 1000, row(1, 1))])
    assert known(history) == {START: START}


def test_pods_that_are_gone_can_be_asked_for(history: History) -> None:
    other = WEB._replace(pod="web-2")
    scrape(history, START, WEB, other)
    for at in range(START + 15, START + 5 * SPAN, 60):
        scrape(history, at, other)
    found = [entity for _, entity in history.entities(START * 1000, workload="Deployment/web")]
    assert sorted(found) == [WEB, other]
    assert known(history) == {START: START}
    assert WEB not in [entity for _, entity in history.entities((START + 4 * SPAN) * 1000, workload="Deployment/web")]


def test_five_minute_figures_cover_closed_and_open_half_hours(history: History) -> None:
    for at in range(START, START + SPAN + 600, 15):
        scrape(history, at, WEB)
    number = history.number([WEB], START * 1000)[WEB]
    found: dict[int, int] = {}
    for _, pieces in history.rolled([number], (CPU,), START * 1000, (START + 2 * SPAN) * 1000):
        found.update(zip(*pieces[CPU], strict=True))
    # The counter grows by a thousand a second. Before the first scrape nothing is known.
    assert len(found) == 1 + (SPAN + 600) // 300 and {v for v in found.values() if v >= 0} == {1000}


def test_what_is_too_old_goes(history: History) -> None:
    scrape(history, START, WEB)
    scrape(history, START + SPAN, WEB)
    scrape(history, START + SPAN + KEEP_CHUNKS + SPAN, WEB)
    assert START not in known(history)
    rolled = list(history.rolled([1], (MEMORY,), START * 1000, (START + SPAN) * 1000))
    assert rolled, "thirty days of five-minute figures are kept"


def test_the_file_stays_below_its_bound(tmp_path: Path) -> None:
    history = History(tmp_path, 500_000)
    pods = [WEB._replace(pod=f"web-{i}") for i in range(200)]
    for at in range(START, START + 30 * SPAN, SPAN // 4):
        scrape(history, at, *pods, noise=True)
    times = sorted(known(history, pods[0], end=START + 40 * SPAN))
    assert history.store.used() < 1_000_000 and history.failed == 0
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 8_000_000
    assert times[-1] == START + 30 * SPAN - SPAN // 4, "the newest are kept"
    assert times[0] > START, "the oldest went"
    history.close()


def test_a_file_that_is_no_database_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "history.db").write_bytes(b"not a database at all " * 1000)
    history = History(tmp_path, LIMIT)
    scrape(history, START, WEB)
    assert known(history) == {START: START}
    assert len(list(tmp_path.glob("history.db.broken-*"))) == 1
    history.close()


def test_a_record_that_is_damaged_costs_that_scrape_only(history: History, tmp_path: Path) -> None:
    for at in range(START, START + 60, 15):
        scrape(history, at, WEB)
    history.close()
    with sqlite3.connect(tmp_path / "history.db") as db:
        db.execute("UPDATE scrapes SET body = x'00' WHERE at = ?", ((START + 15) * 1000,))
    db.close()
    again = History(tmp_path, LIMIT)
    assert sorted(known(again)) == [START, START + 30, START + 45]
    again.close()


def test_a_disk_that_refuses_is_counted_and_the_samples_stay_in_memory(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    scrape(history, START, WEB)

    def full(at: int, body: bytes) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(history.store, "add_scrape", full)
    scrape(history, START + 15, WEB)
    assert history.failed == 1 and sorted(known(history)) == [START, START + 15]


WRITER = """
import sys
from pathlib import Path
from tests.monitoring.history.test_history import LIMIT, START, WEB, History, scrape
from monitoring.history.entities import Entity, NODE
history = History(Path(sys.argv[1]), LIMIT)
others = [Entity(NODE, f"n{i}") for i in range(200)]
at = int(sys.argv[2])
while True:
    scrape(history, at, WEB, *others)
    print(at, flush=True)
    at += 15
"""


def test_a_kill_in_the_middle_of_writing_loses_nothing_that_was_told(tmp_path: Path) -> None:
    told: list[int] = []
    rng = random.Random(7)
    for _ in range(4):
        first = told[-1] + 15 if told else START
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(first)],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert writer.stdout is not None
        told.append(int(writer.stdout.readline()))
        time.sleep(rng.uniform(0.05, 0.4))
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in writer.stdout.read().splitlines()]
        writer.wait()
        writer.stdout.close()
    history = History(tmp_path, LIMIT)
    found = known(history, end=told[-1] + SPAN)
    assert not set(told) - found.keys() - {at for at in told if at < told[-1] - KEEP_CHUNKS}
    assert len(found.keys() - set(told)) <= 4, "at most one scrape for each kill was written but not told"
    assert [entity for _, entity in history.entities(0, kind=NODE)]
    history.close()
