"""Writing CRI logs with rotation, and reading them with the options of kubectl logs."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from kubelet.logs import reader
from kubelet.logs.reader import Follower, Options, history, last_lines, stream
from kubelet.shim.logs import PARTIAL, Clock, LogFile, rotated


def collect(path: Path, options: Options) -> bytes:
    async def read() -> bytes:
        return b"".join([chunk async for chunk in stream(str(path), options, lambda: False)])

    return asyncio.run(read())


def test_stamp_is_rfc3339_with_nanoseconds() -> None:
    assert Clock().stamp(1_700_000_000_000_000_042) == "2023-11-14T22:13:20.000000042Z"


def test_lines_streams_and_the_unfinished_line(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "0.log"))
    log.feed("stdout", b"one\ntw")
    log.feed("stderr", b"err\n")
    log.feed("stdout", b"o\nrest")
    log.close()
    lines = (tmp_path / "0.log").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "stdout F one",
        "stderr F err",
        "stdout F two",
        "stdout P rest",
    ]
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ", line) for line in lines)
    assert last_lines(log.path, 2) == ["two\n", "rest"], "nobody adds a newline that was not written"


def test_long_lines_are_cut_at_16_kib_and_read_whole(tmp_path: Path) -> None:
    text = b"x" * (2 * PARTIAL + 5) + b"\nend\n"
    log = LogFile(str(tmp_path / "0.log"))
    for start in range(0, len(text), 1000):
        log.feed("stdout", text[start : start + 1000])
    log.close()
    tags = [line.split(" ")[2] for line in (tmp_path / "0.log").read_text().splitlines()]
    assert tags == ["P", "P", "F", "F"]
    assert collect(tmp_path / "0.log", Options()) == text
    assert collect(tmp_path / "0.log", Options(tail=2)) == text


def test_rotation_keeps_a_bounded_number_and_the_order(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "0.log"), max_bytes=500, max_files=3)
    for number in range(60):
        log.feed("stdout", b"line %d\n" % number)
    log.close()
    assert len(rotated(log.path)) == 2
    assert all(re.search(r"0\.log\.\d{8}-\d{6}x*$", name) for name in rotated(log.path))
    numbers = [int(entry.text.split()[1]) for entry in history(log.path, Options())]
    assert numbers == list(range(numbers[0], 60)) and len(numbers) > 12
    assert last_lines(log.path, 20) == [f"line {n}\n" for n in range(40, 60)]


def test_options(tmp_path: Path) -> None:
    file = tmp_path / "0.log"
    file.write_text("2026-01-01T00:00:00.000000001Z stdout F a\n2026-01-01T00:00:10.000000001Z stderr F b\ntorn")
    since = 1767225605.0
    assert collect(file, Options(since=since)) == b"b\n"
    assert collect(file, Options(timestamps=True, tail=1)) == b"2026-01-01T00:00:10.000000001Z b\n"
    assert collect(file, Options(limit_bytes=3)) == b"a\nb"
    assert collect(file, Options(stream="stdout")) == b"a\n"
    assert collect(file, Options(tail=0)) == b""


def test_following_sees_each_line_once_through_a_rotation(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "0.log"), max_bytes=2000, max_files=50)
    log.feed("stdout", b"0\n")

    async def main() -> list[bytes]:
        alive = True
        received = bytearray()

        async def follow() -> None:
            async for chunk in stream(log.path, Options(follow=True), lambda: alive):
                received.extend(chunk)

        task = asyncio.create_task(follow())
        for number in range(1, 300):
            log.feed("stdout", b"%d\n" % number)
            if number % 20 == 0:
                await asyncio.sleep(0.25 if number % 100 == 0 else 0.01)
        alive = False
        await asyncio.wait_for(task, 60)
        return bytes(received).split()

    assert asyncio.run(main()) == [b"%d" % n for n in range(300)]


def test_a_slow_follower_survives_files_that_vanish_under_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = LogFile(str(tmp_path / "0.log"), max_bytes=400, max_files=3)
    log.feed("stdout", b"0\n")
    follower = Follower(log.path)
    seen = 0

    def inode(path: str) -> int | None:
        # The writer goes on between any two looks of the reader.
        nonlocal seen
        if seen < 60:
            seen += 1
            log.feed("stdout", b"".join(b"%d\n" % (seen * 5 + n) for n in range(5)))
        return real(path)

    real = reader._inode
    monkeypatch.setattr(reader, "_inode", inode)
    numbers: list[int] = []
    while lines := follower.read():
        numbers += [int(line.split(b" ")[3]) for line in lines]
    follower.close()
    log.close()
    assert numbers == sorted(set(numbers)), "no line twice"
    assert numbers[-1] == 304, "up to the newest"
