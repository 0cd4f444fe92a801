"""A log is read exactly once and in order, whatever rotation, truncation, compression and kills do to it."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from logs.record import Document, Origin
from logs.ship import series
from logs.ship.reading import Log
from logs.ship.series import Position

ORIGIN = Origin("container", {"namespace": "default", "pod": "web", "container": "main"})
STREAMS = ("stdout", "stderr")


@contextmanager
def settled() -> Iterator[None]:
    """As if every file was written long ago."""
    before, series.SETTLED = series.SETTLED, 0.0
    try:
        yield
    finally:
        series.SETTLED = before


@pytest.fixture(autouse=True)
def _settled() -> Iterator[None]:
    with settled():
        yield


def log_at(path: Path, start: Position | None = None, plain: bool = False) -> Log:
    log = Log(str(path), "uid/main/0", plain, start)
    log.origin = ORIGIN
    return log


def drain(log: Log) -> list[Document]:
    """Everything that is there now."""
    found = []
    while True:
        before = log.lines
        documents = log.read()
        found += documents
        if not documents and log.lines == before:
            return found


def messages(documents: list[Document]) -> list[str]:
    return [orjson.loads(document.body)["message"] for document in documents]


class Writer:
    """Writes a container's log as a runtime does, and remembers what should arrive."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "0.log"
        self.count = self.rotations = 0
        self.written: dict[str, list[str]] = {stream: [] for stream in STREAMS}
        self._open: dict[str, str] = {}
        self.path.touch()

    def entry(self, stream: str, tag: str, text: str) -> None:
        self.count += 1
        with self.path.open("a") as file:
            file.write(f"2026-11-21T06:19:10.{self.count:09d}Z {stream} {tag} {text}\n")

    def line(self, stream: str) -> None:
        text = f"{stream} line {self.count} " + "x" * (self.count * 7 % 90)
        self.entry(stream, "F", text)
        self.written[stream].append(self._open.pop(stream, "") + text)

    def part(self, stream: str) -> None:
        text = f"part {self.count} of "
        self.entry(stream, "P", text)
        self._open[stream] = self._open.get(stream, "") + text

    def rotate(self) -> None:
        self.rotations += 1
        self.path.rename(f"{self.path}.20261121-{self.rotations:06d}")
        self.path.touch()

    def compress(self) -> None:
        """All rotated files but the newest, as the kubelet does."""
        names = sorted(self.path.parent.glob("0.log.*"))
        for path in names[:-1]:
            if path.suffix != ".gz":
                temporary = path.with_name(path.name + ".tmp")
                temporary.write_bytes(gzip.compress(path.read_bytes()))
                temporary.rename(path.with_name(path.name + ".gz"))
                path.unlink()

    def empty(self) -> None:
        os.truncate(self.path, 0)

    def finish(self) -> None:
        for stream in list(self._open):
            self.line(stream)


STEPS = st.lists(
    st.sampled_from(
        [
            "out",
            "out",
            "out",
            "err",
            "part",
            "part-err",
            "read",
            "read",
            "ack",
            "kill",
            "rotate",
            "compress",
            "truncate",
        ]
    ),
    max_size=60,
)


class Story:
    """One run of steps; the store keeps the first document of each id."""

    def __init__(self, folder: Path) -> None:
        self.writer = Writer(folder)
        self.log = log_at(self.writer.path)
        self.saved: Position | None = None
        self.stored: dict[str, Document] = {}

    def take(self, documents: list[Document]) -> None:
        for document in documents:
            self.stored.setdefault(document.id, document)

    def step(self, name: str) -> None:
        {
            "out": lambda: self.writer.line("stdout"),
            "err": lambda: self.writer.line("stderr"),
            "part": lambda: self.writer.part("stdout"),
            "part-err": lambda: self.writer.part("stderr"),
            "read": lambda: self.take(self.log.read()),
            "ack": self.acknowledge,
            "kill": self.kill,
            "rotate": self.writer.rotate,
            "compress": self.writer.compress,
            "truncate": self.truncate,
        }[name]()

    def acknowledge(self) -> None:
        self.saved = self.log.position()

    def kill(self) -> None:
        self.log.close()
        self.log = log_at(self.writer.path, self.saved)

    def truncate(self) -> None:
        """Only what was read before may be expected."""
        self.writer.finish()
        self.take(drain(self.log))
        self.acknowledge()
        self.writer.empty()
        self.take(drain(self.log))

    def end(self) -> dict[str, list[str]]:
        self.writer.finish()
        self.take(drain(self.log))
        self.log.close()
        found: dict[str, list[str]] = {stream: [] for stream in STREAMS}
        for document in self.stored.values():
            body = orjson.loads(document.body)
            found[body["stream"]].append(body["message"])
        return found


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
@example(["part", "rotate", "truncate", "out", "truncate", "out", "kill"])
def test_each_line_arrives_once_and_in_order(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder))
        for name in steps:
            story.step(name)
        assert story.end() == story.writer.written


def test_half_a_line_of_one_stream_does_not_repeat_the_other(tmp_path: Path) -> None:
    """A kill while stderr's line is unfinished: what stdout wrote meanwhile is not read again in other pieces."""
    story = Story(tmp_path)
    for name in ("part", "part-err", "out", "read", "ack", "kill", "err"):
        story.step(name)
    assert story.end() == story.writer.written


def test_docker_files(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    rows = [("long ", "stdout"), ("line\n", "stdout"), ("other\n", "stderr")]
    path.write_bytes(
        b"".join(
            orjson.dumps({"log": text, "stream": stream, "time": "2026-11-21T06:19:10.5Z"}) + b"\n"
            for text, stream in rows
        )
    )
    found = drain(log_at(path))
    assert messages(found) == ["long line", "other"]
    assert found[0].time == "2026-11-21T06:19:10.500000000Z"


def test_a_line_that_a_crash_cut_is_kept_as_text(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_text("2026-11-21T06:19:10.000000001Z stdout F whole\n2026-11-21T06:1\n")
    assert messages(drain(log_at(path))) == ["whole", "2026-11-21T06:1"]


def test_rotation_by_copy_and_truncation(tmp_path: Path) -> None:
    """What was appended between the last read and the truncation is in the copy."""
    writer = Writer(tmp_path)
    log = log_at(writer.path)
    writer.line("stdout")
    found = drain(log)
    writer.line("stdout")
    (tmp_path / "0.log.1").write_bytes(writer.path.read_bytes())
    writer.empty()
    writer.line("stdout")
    assert messages(found + drain(log)) == writer.written["stdout"]
    assert log.series.truncated == 0


def test_a_reused_inode_is_another_file(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    log = log_at(writer.path)
    writer.line("stdout")
    assert len(drain(log)) == 1
    saved = log.position()
    assert saved is not None
    log.close()
    writer.empty()  # the same inode with other content, as after deletion and creation
    writer.line("stdout")
    again = log_at(writer.path, saved)
    assert messages(drain(again)) == writer.written["stdout"][1:]
    assert again.series.lost == 1


def test_a_deleted_log_is_read_to_its_end_and_let_go(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    log = log_at(writer.path)
    writer.line("stdout")
    drain(log)
    writer.line("stdout")
    writer.path.unlink()
    assert messages(drain(log)) == writer.written["stdout"][1:]
    assert log.series.gone and not log.series.open


def test_a_released_file_is_found_again_under_its_new_name(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    log = log_at(writer.path)
    writer.line("stdout")
    found = drain(log)
    log.series.release()
    writer.line("stdout")
    writer.rotate()
    writer.line("stdout")
    assert messages(found + drain(log)) == writer.written["stdout"]


def test_a_program_writes_the_same_banner_into_each_file(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_text("the server starts\nfirst\n")
    log = log_at(path, plain=True)
    found = drain(log)
    path.rename(f"{path}.1")
    path.write_text("the server starts\nsecond\n")
    found += drain(log)
    assert messages(found) == ["the server starts", "first", "the server starts", "second"]
    assert len({document.id for document in found}) == 4


def test_a_trace_is_one_document(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    lines = [
        "ERROR it failed",
        "Traceback (most recent call last):",
        '  File "a.py", line 1, in f',
        "ValueError: no",
        "next",
    ]
    path.write_text(
        "".join(f"2026-11-21T06:19:10.{number:09d}Z stderr F {line}\n" for number, line in enumerate(lines))
    )
    assert messages(drain(log_at(path))) == ["\n".join(lines[:4]), "next"]
