from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from dashboard import api, monitor

if TYPE_CHECKING:
    from dashboard.source import Source


def test_redis_that_is_not_configured_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BINNACLE_REDIS", raising=False)
    assert asyncio.run(monitor.ping_redis()) is None


def test_redis_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINNACLE_REDIS", "unix:///nowhere/redis.sock")
    assert asyncio.run(monitor.ping_redis()) == "does not answer (ConnectionError)"


class _Source:
    """As much of a source as a monitor looks at."""

    def __init__(self, local: bool) -> None:
        self.local = local
        self.cache = SimpleNamespace(age=0.5)


def _monitor(local: bool = True) -> monitor.Monitor:
    return monitor.Monitor(cast("Source", _Source(local)))


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BINNACLE_REDIS", raising=False)
    monkeypatch.setenv("BINNACLE_NODE_ADDRESS", "127.0.0.1")
    monkeypatch.setenv("BINNACLE_WITHOUT", "kubelet, kubeproxy")


@pytest.mark.usefixtures("_installed")
def test_what_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(_monitor().health()) == {"store", "api", "redis", "controllers", "scheduler"}
    assert set(_monitor(local=False).health()) == {"store", "redis"}, "of an attached cluster's processes the log tells"
    monkeypatch.delenv("BINNACLE_NODE_ADDRESS")
    assert set(_monitor().health()) == {"store", "api", "redis"}, "nobody said that there are workers"


@pytest.mark.usefixtures("_installed")
def test_a_process_that_stops_answering_is_told_and_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "INTERVAL", 0.0)
    silent = asyncio.Event()

    async def ask(process: str) -> str:
        if process == "controllers" and silent.is_set():
            await asyncio.sleep(60)
        return "does not answer (ConnectionRefusedError)" if process == "scheduler" and silent.is_set() else ""

    async def broken() -> str:
        raise FileNotFoundError("there is no ca.crt")

    async def story() -> tuple[Any, Any]:
        made = _monitor()
        made.join()
        await _until(lambda: all(made.parts[name].up for name in ("redis", "controllers", "scheduler")))
        first = made.health()
        silent.set()
        await _until(lambda: made.parts["scheduler"].up is False)
        made.leave()
        await asyncio.sleep(0)
        return first, made.health()

    monkeypatch.setattr(api, "probe_process", ask)
    monkeypatch.setattr(api, "probe", broken)
    first, last = asyncio.run(story())
    assert first["controllers"]["up"] is True
    assert (first["api"]["up"], first["api"]["why"]) == (None, "there is no ca.crt")
    assert first["redis"] == {"up": True, "age": first["redis"]["age"], "why": "none is configured"}
    assert (last["scheduler"]["up"], last["scheduler"]["why"]) == (False, "does not answer (ConnectionRefusedError)")
    assert last["scheduler"]["age"] >= 0


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)


def test_a_part_knows_since_when_it_is_away() -> None:
    part = monitor.Part(api.probe)
    assert part.show() == {"up": None, "age": None, "why": ""}
    part.take("")
    part.take("gone")
    shown = part.show()
    assert (shown["up"], shown["why"]) == (False, "gone")
    assert shown["age"] >= 0
