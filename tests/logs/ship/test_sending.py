"""Batches on their way: retries, refusals, sizes, and the order in which positions are written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
import pytest

from logs.record import OK, Document, Result, Unavailable
from logs.ship import sending
from logs.ship.deadletters import DeadLetters
from logs.ship.metrics import Metrics
from logs.ship.sending import Batch, Sender
from logs.ship.series import Position

Answer = Callable[[Sequence[Document]], list[Result]]


class Scripted:
    """A store that answers as it is told, call by call, and takes everything afterwards."""

    def __init__(self, *answers: Answer | Unavailable) -> None:
        self.answers = list(answers)
        self.kept: list[str] = []
        self.sizes: list[int] = []

    async def write(self, batch: Sequence[Document]) -> list[Result]:
        await asyncio.sleep(0)
        self.sizes.append(len(batch))
        answer = self.answers.pop(0) if self.answers else lambda batch: [OK] * len(batch)
        if isinstance(answer, Unavailable):
            raise answer
        results = answer(batch)
        self.kept += [document.id for document, result in zip(batch, results, strict=True) if result.status == "ok"]
        return results

    async def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending.Backoff, "delay", lambda self: 0.001)


def documents(*names: str) -> list[Document]:
    return [Document(name, "2026-11-21T06:19:10.000000000Z", b'{"message":"x"}') for name in names]


def sent(folder: Path, store: Scripted, *batches: Batch) -> tuple[Metrics, list[dict[str, Position | None]]]:
    """Everything put, and waited for."""
    metrics, acknowledged = Metrics(), list[dict[str, Position | None]]()

    async def run() -> None:
        sender = Sender(store, DeadLetters(folder), metrics, acknowledged.append)
        for batch in batches:
            await sender.put(batch)
        async with asyncio.timeout(30):
            while not sender.idle:
                await asyncio.sleep(0.001)
        await sender.close()

    asyncio.run(run())
    return metrics, acknowledged


def at(offset: int) -> dict[str, Position | None]:
    return {"/a": Position("i", offset, 1)}


def test_what_is_not_taken_is_sent_again(tmp_path: Path) -> None:
    store = Scripted(
        Unavailable("down"), Unavailable("busy", retry_after=0.001), lambda batch: [OK, Result("retry", "busy")]
    )
    metrics, acknowledged = sent(tmp_path, store, Batch(documents("a", "b"), 10, at(5)))
    assert sorted(store.kept) == ["a", "b"] and acknowledged == [at(5)]
    assert (metrics.retries, metrics.shipped, metrics.failing) == (3, 2, "")


def test_a_refused_document_is_kept_aside_and_the_rest_counts(tmp_path: Path) -> None:
    store = Scripted(lambda batch: [OK, Result("rejected", "400 no date")])
    metrics, acknowledged = sent(tmp_path, store, Batch(documents("a", "b"), 10, at(5)))
    kept = orjson.loads((tmp_path / "rejected.ndjson").read_bytes())
    assert kept == {"reason": "400 no date", "document": {"_id": "b", "message": "x"}}
    assert (metrics.rejected, metrics.shipped, acknowledged) == (1, 1, [at(5)])


def test_a_batch_that_is_too_large_is_halved_until_one_is_to_blame(tmp_path: Path) -> None:
    class Small(Scripted):
        async def write(self, batch: Sequence[Document]) -> list[Result]:
            if len(batch) > 1 or batch[0].id == "c":
                raise Unavailable("413", too_large=True)
            return await super().write(batch)

    store = Small()
    metrics, _ = sent(tmp_path, store, Batch(documents("a", "b", "c", "d"), 10, at(5)))
    assert sorted(store.kept) == ["a", "b", "d"] and metrics.rejected == 1


def test_positions_are_written_in_order_even_when_the_second_batch_is_first(tmp_path: Path) -> None:
    class Slow(Scripted):
        async def write(self, batch: Sequence[Document]) -> list[Result]:
            while batch[0].id == "a" and "b" not in self.kept:
                await asyncio.sleep(0.001)
            return await super().write(batch)

    _, acknowledged = sent(tmp_path, Slow(), Batch(documents("a"), 10, at(1)), Batch(documents("b"), 10, at(2)))
    assert acknowledged == [at(1), at(2)]


def test_dead_letters_are_bounded(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path, max_bytes=1000)
    for number in range(100):
        letters.add([(documents(f"{number:032d}")[0], "no")])
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2000
    last = (tmp_path / "rejected.ndjson").read_bytes().splitlines()[-1]
    assert orjson.loads(last)["document"]["_id"] == f"{99:032d}"


def test_while_dead_letters_cannot_be_written_nothing_is_acknowledged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Scripted(lambda batch: [Result("rejected", "no")])
    blocked = tmp_path / "not-there"

    async def run() -> None:
        acknowledged: list[dict[str, Position | None]] = []
        sender = Sender(store, DeadLetters(blocked), Metrics(), acknowledged.append)
        await sender.put(Batch(documents("a"), 10, at(1)))
        async with asyncio.timeout(60):
            while "cannot be kept aside" not in caplog.text:
                await asyncio.sleep(0.001)
        assert acknowledged == []
        blocked.mkdir()
        async with asyncio.timeout(30):
            while not acknowledged:
                await asyncio.sleep(0.001)
        await sender.close()

    asyncio.run(run())


def test_an_unforeseen_error_acknowledges_nothing_after_it(tmp_path: Path) -> None:
    def broken(batch: Sequence[Document]) -> list[Result]:
        raise ZeroDivisionError

    async def run() -> None:
        acknowledged: list[dict[str, Position | None]] = []
        sender = Sender(Scripted(broken), DeadLetters(tmp_path), Metrics(), acknowledged.append)
        await sender.put(Batch(documents("a"), 10, at(1)))
        async with asyncio.timeout(60):
            while not sender.idle:
                await asyncio.sleep(0.001)
        with pytest.raises(ZeroDivisionError):
            await sender.put(Batch(documents("b"), 10, at(2)))
        assert acknowledged == []
        await sender.close()

    asyncio.run(run())
