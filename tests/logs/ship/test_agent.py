"""The loop over many logs: what waits while the store is away, and how many files are open."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
import pytest

from logs.record import OK, Document, Origin, Result, Unavailable
from logs.ship import agent as agents
from logs.ship import sending
from logs.ship.agent import Agent
from logs.ship.catalog import Where, containers
from logs.ship.deadletters import DeadLetters
from logs.ship.metrics import Metrics
from logs.ship.positions import Positions
from logs.ship.sending import Sender


class Switched:
    """A store that is there or not."""

    def __init__(self) -> None:
        self.up = True
        self.messages: dict[str, str] = {}

    async def write(self, batch: Sequence[Document]) -> list[Result]:
        await asyncio.sleep(0)
        if not self.up:
            raise Unavailable("down")
        for document in batch:
            self.messages.setdefault(document.id, orjson.loads(document.body)["message"])
        return [OK] * len(batch)

    async def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POLL", "DISCOVER", "LINGER"):
        monkeypatch.setattr(agents, name, 0.01)
    monkeypatch.setattr(sending.Backoff, "delay", lambda self: 0.01)


def described(where: Where, alone: bool) -> Origin:
    return Origin(where.source, {"pod": where.pod})


def wrote(root: Path, pod: str, text: str) -> Path:
    folder = root / f"default_{pod}_uid-{pod}" / "main"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "0.log").open("a") as file:
        file.write(f"2026-11-21T06:19:10.000000001Z stdout F {text}\n")
    return folder.parent


async def until(look: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not look():
            await asyncio.sleep(0.01)


class Running:
    """An agent over a folder, for the time of a block."""

    def __init__(self, folder: Path, max_open: int = 100, store: Switched | None = None) -> None:
        self.pods, self.store, self.metrics = folder / "pods", store or Switched(), Metrics()
        self.positions = Positions(folder / "state")
        sender = Sender(self.store, DeadLetters(folder / "state"), self.metrics, self.positions.save)
        self.agent = Agent(lambda: containers(self.pods), described, self.positions, sender, self.metrics, max_open)

    async def __aenter__(self) -> Running:
        self._task = asyncio.create_task(self.agent.run())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.agent.close()

    def row(self, name: str) -> float:
        return next(value for found, _, _, value in self.agent.rows() if found == name)


def test_lines_of_a_pod_that_is_deleted_while_the_store_is_away_arrive(tmp_path: Path) -> None:
    async def story() -> None:
        async with Running(tmp_path) as running:
            running.store.up = False
            for number in range(4):  # more than are on their way at once: reading stops
                wrote(running.pods, "busy", f"line {number}")
                await asyncio.sleep(0.05)
            await until(lambda: running.metrics.retries)
            before = running.row("open_files")
            short = wrote(running.pods, "short", "last words")
            await until(lambda: running.row("open_files") > before)
            shutil.rmtree(short)
            running.store.up = True
            await until(lambda: "last words" in running.store.messages.values())
            await until(lambda: running.row("logs") == 1)
            assert running.metrics.lost == 0

    asyncio.run(story())


def test_few_descriptors_are_enough_for_many_logs(tmp_path: Path) -> None:
    async def story() -> None:
        async with Running(tmp_path, max_open=3) as running:
            for pod in range(12):
                wrote(running.pods, f"p{pod}", "one")
            await until(lambda: len(running.store.messages) == 12)
            await until(lambda: running.row("open_files") <= 3)
            for pod in range(12):
                wrote(running.pods, f"p{pod}", "two")
            await until(lambda: len(running.store.messages) == 24)
            assert sorted(running.store.messages.values()) == ["one"] * 12 + ["two"] * 12

    asyncio.run(story())


def test_a_second_agent_goes_on_where_the_first_was(tmp_path: Path) -> None:
    async def story() -> None:
        async with Running(tmp_path) as running:
            wrote(running.pods, "web", "one")
            await until(lambda: running.positions.paths())
        wrote(running.pods, "web", "two")
        async with Running(tmp_path) as again:
            await until(lambda: again.store.messages)
            assert list(again.store.messages.values()) == ["two"]

    asyncio.run(story())


def test_an_unforeseen_error_ends_the_agent_though_nothing_more_is_read(tmp_path: Path) -> None:
    """So that it is started again: a batch that nobody waits for would never arrive."""

    class Broken(Switched):
        async def write(self, batch: Sequence[Document]) -> list[Result]:
            raise ZeroDivisionError

    async def story() -> None:
        running = Running(tmp_path, store=Broken())
        wrote(running.pods, "a", "the last line")
        with pytest.raises(BaseExceptionGroup) as raised:
            async with asyncio.timeout(30):
                await running.agent.run()
        assert raised.value.subgroup(ZeroDivisionError)
        await running.agent.close()

    asyncio.run(story())
