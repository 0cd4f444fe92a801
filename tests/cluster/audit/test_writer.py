"""The file of the audit log: rotated, cleared, shared; whoever writes never waits; and how it is searched from its end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cluster.audit import reading, writer
from cluster.audit.reading import Search, find
from cluster.audit.writer import Rotated, Writer, rotated
from tests.conftest import ROOT


class Text:
    def __init__(self, text: str, size: int = 100) -> None:
        self.text, self.size = text, size

    def encode(self) -> bytes:
        return self.text.encode() + b"\n"


def lines(path: Path) -> list[str]:
    return [line for file in (*rotated(path), path) for line in file.read_text().splitlines()]


def test_lines_are_written_by_a_thread_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "audit" / "audit.log"
    log = Writer(Rotated(path))
    for number in range(5000):
        log.put(Text(str(number)))
    log.close()
    assert lines(path) == [str(number) for number in range(5000)]
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert log.written == 5000


def test_size_number_and_age_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    old = tmp_path / "audit-2020-01-01T00-00-00.000000.log"
    old.write_text("old\n")
    os.utime(old, (0, 0))
    file = Rotated(path, max_size=0.001, max_age=1, max_backups=3)
    file.write([b"x" * 99 + b"\n"] * 5)
    assert not old.exists(), "too old"
    for _ in range(20):
        file.write([b"x" * 99 + b"\n"] * 5)
    assert len(rotated(path)) == 3
    assert all(one.stat().st_size <= 1048 for one in (path, *rotated(path)))


def test_several_processes_write_into_one(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from cluster.audit.writer import Rotated\n"
        "file = Rotated(Path(sys.argv[1]), max_size=0.01)\n"
        "for n in range(200): file.write([f'{sys.argv[2]} {n} {\"x\" * 50}\\n'.encode()])\n"
    )
    path = tmp_path / "audit.log"
    running = [subprocess.Popen([sys.executable, "-c", code, str(path), name], cwd=ROOT) for name in "abc"]
    assert [child.wait(60) for child in running] == [0, 0, 0]
    found = lines(path)
    assert sorted(line[:-51] for line in found) == sorted(f"{name} {n}" for name in "abc" for n in range(200))
    assert len(rotated(path)) > 1


def test_what_the_disk_does_not_take_is_dropped_counted_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "GATHER", 0.0)
    file = Rotated(tmp_path / "audit.log")
    log = Writer(file, max_waiting=1000)
    with log._writing:  # the disk hangs
        began = time.monotonic()
        for number in range(10_000):
            log.put(Text(str(number)))
        assert time.monotonic() - began < 5
        assert len(log._lines) == 10 and log.dropped == 9990
    assert len([record for record in caplog.records if "dropped" in record.message]) == 1
    log.close()
    assert lines(tmp_path / "audit.log") == [str(number) for number in range(10)]


def test_a_full_disk_loses_events_not_the_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    log = Writer(Rotated(tmp_path / "audit.log"))
    monkeypatch.setattr(writer.os, "write", full)
    log.put(Text("a"))
    log.flush()
    monkeypatch.undo()
    log.put(Text("b"))
    log.close()
    assert lines(tmp_path / "audit.log") == ["b"]
    assert "No space left on device" in caplog.text and log.failed == 1


def event(number: int, **more: object) -> bytes:
    at = f"2026-01-01T00:{number // 60:02d}:{number % 60:02d}.000000Z"
    about = {"resource": "pods", "namespace": "x", "subresource": "log"} if number % 2 else {"resource": "secrets"}
    made = {"auditID": str(number), "verb": "get", "stageTimestamp": at, "user": {"username": f"u{number % 3}"}}
    return json.dumps({**made, "objectRef": about, **more}).encode() + b"\n"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """200 events, in three files and more."""
    path = tmp_path / "audit.log"
    file = Rotated(path, max_size=0.01)
    for number in range(200):
        file.write([event(number)])
    assert len(rotated(path)) >= 2
    return path


def numbers(events: list[dict[str, object]]) -> list[int]:
    return [int(str(one["auditID"])) for one in events]


def test_the_newest_come_first_through_all_files(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 300)
    assert numbers(find(written, Search(), 1000).events) == list(range(199, -1, -1))


def test_a_search_goes_on_where_it_stopped_even_after_a_rotation(written: Path) -> None:
    first = find(written, Search(), 30)
    Rotated(written, max_size=0.01).write([event(200)] * 100)
    second = find(written, Search(), 1000, first.cursor)
    assert numbers(first.events) + numbers(second.events) == list(range(199, -1, -1))
    assert second.cursor == ""


@pytest.mark.parametrize(
    ("search", "fits"),
    [
        (Search(user="u1"), lambda n: n % 3 == 1),
        (Search(verb="get", resource="secrets"), lambda n: n % 2 == 0),
        (Search(resource="pods/log", namespace="x"), lambda n: n % 2 == 1),
        (Search(resource="pods/exec"), lambda n: False),
        (Search(since="2026-01-01T00:01:00", until="2026-01-01T00:02:00"), lambda n: 60 <= n < 120),
    ],
)
def test_searches(written: Path, search: Search, fits: object) -> None:
    assert numbers(find(written, search, 1000).events) == [n for n in range(199, -1, -1) if fits(n)]  # type: ignore[operator]


def test_a_search_reads_no_more_than_its_bound(written: Path) -> None:
    found = find(written, Search(user="nobody"), 10, most_read=5_000)
    assert found.events == [] and found.cursor and 5_000 <= found.read < 6_000


def test_what_is_no_event_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 1000)
    path = tmp_path / "audit.log"
    path.write_bytes(event(1) + b'{"half\n' + b"\xff\n\n[1]\n" + b"x" * 900_000 + b"\n" + event(2) + b'{"cut off')
    assert numbers(find(path, Search()).events) == [2, 1]
    assert find(tmp_path / "none.log", Search()).events == []
    assert find(path, Search(), cursor="junk-x").events == []
