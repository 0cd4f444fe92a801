"""The rounds behind metrics.k8s.io: when they are made, over which connections, and that nobody holds them up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aiohttp import web

from apiserver.backend import Target
from apiserver.resourcemetrics import scraper
from apiserver.resourcemetrics.scraper import Kubelet, Scraper

TIME = "2026-11-21T04:00:00Z"
USED = {"cpu": {"time": TIME, "usageNanoCores": 7}, "memory": {"workingSetBytes": 1}}


class Machine:
    """One server, as of many nodes: `asked` counts the questions, `lines` the connections they came over."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.lines: set[int] = set()
        self.hangs: set[str] = set()
        self.end = asyncio.Event()

    async def __aenter__(self) -> Machine:
        app = web.Application()
        app.router.add_get("/{name}/stats/summary", self._summary)
        # Whoever is idle for long is let go: the next question finds the connection closed.
        self.runner = web.AppRunner(app, keepalive_timeout=0.2, shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.port = self.runner.addresses[0][1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self.end.set()
        await self.runner.cleanup()

    async def _summary(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        assert request.transport is not None and request.query["only_cpu_and_memory"] == "true"
        self.asked[name] += 1
        self.lines.add(request.transport.get_extra_info("peername")[1])
        if name in self.hangs:
            await self.end.wait()
        return web.json_response({"node": {"nodeName": name, **USED}})

    def kubelets(self, *names: str) -> Callable[[], dict[str, Kubelet]]:
        return lambda: {name: (Target("127.0.0.1", self.port), f"/{name}") for name in names}


def run(story: Callable[[Machine], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(90), Machine() as machine:
            await story(machine)

    asyncio.run(main())


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.01)


def test_many_nodes_of_one_server_share_few_connections() -> None:
    async def story(machine: Machine) -> None:
        names = [f"n{number}" for number in range(200)]
        found = await Scraper().latest(machine.kubelets(*names))
        assert set(found.nodes) == set(names) and found.nodes["n7"].usage == {"": (7, 1)}
        assert machine.asked.total() == 200 and len(machine.lines) <= scraper.TOGETHER

    run(story)


def test_questions_at_once_and_later_ones_share_a_round() -> None:
    async def story(machine: Machine) -> None:
        one, kubelets = Scraper(), machine.kubelets("a", "b")
        await asyncio.gather(*(one.latest(kubelets) for _ in range(20)))
        assert set((await one.latest(kubelets)).nodes) == {"a", "b"}
        assert machine.asked == {"a": 1, "b": 1}

    run(story)


def test_rounds_go_on_while_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scraper, "EVERY", 0.3)  # longer than the machine keeps an idle connection

    async def story(machine: Machine) -> None:
        one, kubelets = Scraper(), machine.kubelets("a")
        before = await one.latest(kubelets)
        await until(lambda: machine.asked["a"] >= 3)
        after = await one.latest(kubelets)
        assert after is not before and set(after.nodes) == {"a"}
        monkeypatch.setattr(scraper, "GO_ON", 0.0)
        assert one._going is not None
        await one._going
        asked = machine.asked["a"]
        await asyncio.sleep(0.7)
        assert machine.asked["a"] == asked and not one._pool._idle, "nobody asks: no rounds, no connections"
        assert set((await one.latest(kubelets)).nodes) == {"a"} and machine.asked["a"] == asked + 1

    run(story)


def test_a_kubelet_that_hangs_holds_up_one_round_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scraper, "TOGETHER", 1)
    monkeypatch.setattr(scraper, "ROUND", 3.0)
    monkeypatch.setattr(scraper, "EVERY", 0.1)

    async def story(machine: Machine) -> None:
        machine.hangs = {"a"}
        one, kubelets = Scraper(), machine.kubelets("a", "b")
        monkeypatch.setattr(scraper, "TIMEOUT", 60.0)
        assert (await one.latest(kubelets)).nodes == {}, "the round ended before its turn came"
        monkeypatch.setattr(scraper, "TIMEOUT", 0.5)
        found = await one.latest(kubelets)
        while not found.nodes:
            await asyncio.sleep(0.01)
            found = await one.latest(kubelets)
        asked = machine.asked["b"]
        await until(lambda: machine.asked["b"] > asked)
        assert one._silent == {"a"} and set(one._last.nodes) == {"b"}

    run(story)


def test_what_can_not_be_used_is_left_out() -> None:
    async def story(machine: Machine) -> None:
        nowhere = {"gone": (Target("127.0.0.1", 1), ""), "odd": (Target("127.0.0.1", machine.port), "/a/b")}
        found = await Scraper().latest(lambda: {**nowhere, **machine.kubelets("a")()})
        assert set(found.nodes) == {"a"}

    run(story)
