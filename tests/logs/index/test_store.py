"""The embedded store keeps each line once, through kills, and within its bounds."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
import pytest

from kube import clock
from logs.index.backend import Embedded
from logs.index.parts import Bounds, Full, Parts
from logs.index.writer import Writer
from logs.query import moments, parse
from logs.search.backend import Asked
from tests.conftest import ROOT

DAY = 86_400 * 10**9
EVER = Asked(parse(""), 0, (1 << 63) - 1)


def line(number: int, nanos: int | None = None, **more: object) -> bytes:
    """Of today, and of one time whenever it is made: a time is a part of what an id stands for."""
    nanos = nanos or time.time_ns() // DAY * DAY + number
    found = {
        "_id": f"{number:032x}",
        "@timestamp": clock.stamp_nano(nanos),
        "message": f"line {number}",
        "source": "container",
        "kubernetes": {"namespace": "a", "pod": "p"},
    }
    return orjson.dumps({**found, **more})


def over(folder: Path, work: Callable[[Writer, Embedded], Awaitable[None]], bounds: Bounds | None = None) -> None:
    """Runs `work` on a store in `folder`, and closes it."""

    async def run() -> None:
        parts = Parts(folder, bounds or Bounds())
        writer = Writer(parts)
        backend = Embedded(parts, writer)
        try:
            await work(writer, backend)
        finally:
            await backend.close()

    asyncio.run(run())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits do not wait for company."""
    monkeypatch.setattr("logs.index.writer.PAUSE", 0.0)


async def ids(backend: Embedded, asked: Asked = EVER) -> list[int]:
    return [int(orjson.loads(one)["_id"], 16) for one in (await backend.search(asked, 1000, False, None)).lines]


def test_a_line_that_comes_again_is_a_success_and_kept_once(tmp_path: Path) -> None:
    same = line(1)

    async def first(writer: Writer, backend: Embedded) -> None:
        assert [r.status for r in await writer.write([same, same, line(2)])] == ["ok"] * 3
        assert [r.status for r in await writer.write([same])] == ["ok"]
        assert (writer.added, writer.known) == (2, 2)

    async def again(writer: Writer, backend: Embedded) -> None:
        await writer.write([same, line(3)])
        assert await ids(backend) == [1, 2, 3]

    over(tmp_path, first)
    over(tmp_path, again)


def test_lines_that_can_not_be_kept_are_named_and_the_others_are_kept(tmp_path: Path) -> None:
    now = time.time_ns()

    async def work(writer: Writer, backend: Embedded) -> None:
        results = await writer.write(
            [
                b"no json",
                b"[]",
                b'{"_id":"x"}',
                line(1),
                line(2, level="loud"),
                line(3, source="moon"),
                line(4, now - 20 * DAY),
                line(5, now + 3 * DAY),
                line(6, message=7),
            ]
        )
        assert [r.status for r in results] == ["rejected"] * 3 + ["ok"] + ["rejected"] * 5
        reasons = (
            "no JSON",
            "JSON object",
            "@timestamp",
            "",
            "level",
            "source",
            "older than the 14 days",
            "in the future",
            "message",
        )
        for result, words in zip(results, reasons, strict=True):
            assert words in result.reason
        assert await ids(backend) == [1]

    over(tmp_path, work)


def test_many_lines_of_one_nanosecond_are_paged_through(tmp_path: Path) -> None:
    now = time.time_ns()

    async def work(writer: Writer, backend: Embedded) -> None:
        await writer.write([line(n, now) for n in range(50)] + [line(n, now + 1) for n in range(50, 55)])
        for newest_first in (True, False):
            found: list[int] = []
            after = None
            while True:
                page = await backend.search(EVER, 7, newest_first, after)
                found += [int(orjson.loads(one)["_id"], 16) for one in page.lines]
                after = page.next
                if after is None:
                    break
            assert found == sorted(range(55), reverse=newest_first)

    over(tmp_path, work)


def test_who_follows_gets_each_line_once_in_the_order_of_arrival(tmp_path: Path) -> None:
    now = time.time_ns()

    async def work(writer: Writer, backend: Embedded) -> None:
        await writer.write([line(1)])
        lines, mark = await backend.arrivals(EVER, None, 10)
        assert lines == []
        await writer.write([line(2), line(3, now - 10**9), line(1)])
        lines, mark = await backend.arrivals(EVER, mark, 10)
        assert [int(orjson.loads(one)["_id"], 16) for one in lines] == [2, 3]
        assert (await backend.arrivals(EVER, mark, 10))[0] == []

    over(tmp_path, work)


def test_old_days_go_by_age_and_by_size_and_the_newest_stays(tmp_path: Path) -> None:
    now = time.time_ns()

    async def fill(writer: Writer, backend: Embedded) -> None:
        await writer.write([line(n, now - n * DAY) for n in range(5)])
        assert len(writer.parts.names()) == 5

    async def by_age(writer: Writer, backend: Embedded) -> None:
        assert len(writer.parts.sweep()) == 2
        assert await ids(backend) == [2, 1, 0]

    async def by_size(writer: Writer, backend: Embedded) -> None:
        writer.parts.sweep()
        assert await ids(backend) == [0]

    over(tmp_path, fill)
    over(tmp_path, by_age, Bounds(days=3))
    over(tmp_path, by_size, Bounds(days=3, size=1))


def test_without_room_on_the_disk_nothing_is_taken_and_the_reason_is_said(tmp_path: Path) -> None:
    async def fill(writer: Writer, backend: Embedded) -> None:
        await writer.write([line(1)])

    async def work(writer: Writer, backend: Embedded) -> None:
        with pytest.raises(Full, match="are left to others"):
            await writer.write([line(2)])
        assert await ids(backend) == [1]

    over(tmp_path, fill)
    over(tmp_path, work, Bounds(free=1 << 60))


def test_the_lines_of_one_day_go_on_within_the_size_and_the_oldest_go(tmp_path: Path, quick: None) -> None:
    bounds = Bounds(size=400_000)
    start = time.time_ns() // DAY * DAY

    async def work(writer: Writer, backend: Embedded) -> None:
        largest = 0
        for first in range(0, 10_000, 100):
            results = await writer.write(
                [line(n, start + n, filler=f"{n:09d}" * 20) for n in range(first, first + 100)]
            )
            assert {result.status for result in results} == {"ok"}
            largest = max(largest, sum(writer.parts.measure(fresh=True).values()))
        assert largest < 2 * bounds.size, "a part and what merging needs for a moment may come on top"

    async def again(writer: Writer, backend: Embedded) -> None:
        writer.parts.sweep()
        assert sum(writer.parts.measure(fresh=True).values()) <= bounds.size
        left, losses = await ids(backend), writer.parts.losses
        assert left == list(range(left[0], left[0] + len(left))) and left[0] > 0
        assert 1 < len(writer.parts.names()) <= 17
        newest = (await backend.search(EVER, 1, True, None)).lines[0]
        assert int(orjson.loads(newest)["_id"], 16) == 9_999
        # Counted to the line, with the time of the last, through a restart.
        assert losses.lines == left[0] and losses.until == start + left[0] - 1 == backend.dropped_until

    over(tmp_path, work, bounds)
    over(tmp_path, again, bounds)


def test_a_line_is_kept_once_whichever_part_of_its_day_has_it(tmp_path: Path, quick: None) -> None:
    start = time.time_ns() // DAY * DAY
    # Those of later parts are partly earlier: late lines, or another pod's.
    batches = [[line(n, start + n * 7919 % 60) for n in range(first, first + 10)] for first in range(0, 60, 10)]

    async def work(writer: Writer, backend: Embedded) -> None:
        for batch in batches:
            await writer.write(batch)
        assert len(writer.parts.names()) == len(batches)
        for batch in reversed(batches):
            await writer.write([*batch[::2], *batch])
        assert (writer.added, writer.known) == (60, 90)

    async def again(writer: Writer, backend: Embedded) -> None:
        for batch in batches:
            await writer.write(batch)
        assert (writer.added, writer.known) == (0, 60)
        for newest_first in (True, False):
            found: list[str] = []
            after = None
            while True:
                page = await backend.search(EVER, 7, newest_first, after)
                found += [orjson.loads(one)["@timestamp"] for one in page.lines]
                after = page.next
                if after is None:
                    break
            assert found == sorted((clock.stamp_nano(start + n) for n in range(60)), reverse=newest_first)

    over(tmp_path, work, Bounds(part=1))
    over(tmp_path, again, Bounds(part=1))


def test_what_a_kill_left_of_a_dropped_index_goes(tmp_path: Path) -> None:
    (tmp_path / "dropped-2026.11.21-3").mkdir()
    (tmp_path / "dropped-2026.11.21-3" / "meta.json").write_text("{}")

    async def work(writer: Writer, backend: Embedded) -> None:
        assert list(tmp_path.iterdir()) == [] and await ids(backend) == []

    over(tmp_path, work)


def test_indices_of_an_earlier_version_are_told_and_go_when_they_are_too_old(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old, young = (moments.day(time.time_ns() - age * DAY) for age in (20, 1))
    for name in (old, young):
        (tmp_path / name).mkdir()
        (tmp_path / name / "meta.json").write_text("{}")

    async def work(writer: Writer, backend: Embedded) -> None:
        assert old in caplog.text and young in caplog.text
        writer.parts.sweep()
        assert not (tmp_path / old).exists() and (tmp_path / young).exists()
        await writer.write([line(1)])
        assert await ids(backend) == [1]

    over(tmp_path, work)


def test_what_is_dropped_by_age_is_no_loss_of_room(tmp_path: Path) -> None:
    now = time.time_ns()

    async def fill(writer: Writer, backend: Embedded) -> None:
        await writer.write([line(n, now - n * DAY) for n in range(3)])

    async def work(writer: Writer, backend: Embedded) -> None:
        writer.parts.sweep()
        assert (writer.parts.losses.expired, writer.parts.losses.lines, backend.dropped_until) == (2, 0, 0)

    over(tmp_path, fill)
    over(tmp_path, work, Bounds(days=1))


WRITER = """
import asyncio, pathlib, sys, time
sys.path[:0] = ["logging", "."]
from logs.index.parts import Bounds, Parts
from logs.index.writer import Writer
from tests.logs.index.test_store import line

async def main():
    writer = Writer(Parts(pathlib.Path(sys.argv[1]), Bounds(part=30_000)))
    number = int(sys.argv[2])
    while True:
        await writer.write([line(n) for n in range(number, number + 200)])
        number += 200
        print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.serial
def test_what_was_acknowledged_survives_kills(tmp_path: Path) -> None:
    acknowledged = 0
    for groups in (1, 3, 2):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(acknowledged)]
        writer = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(groups):
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        # What it said before it died counts too.
        for said in writer.stdout.read().split():
            acknowledged = int(said)
        writer.wait()

    async def work(writer: Writer, backend: Embedded) -> None:
        found: list[int] = []
        after = None
        while True:
            page = await backend.search(EVER, 1000, False, after)
            found += [int(orjson.loads(one)["_id"], 16) for one in page.lines]
            after = page.next
            if after is None:
                break
        assert len(found) == len(set(found))
        assert set(range(acknowledged)) <= set(found)

    over(tmp_path, work)
