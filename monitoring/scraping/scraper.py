"""Asks every kubelet each 15 s, and hands what it says to the history."""

from __future__ import annotations

import asyncio
import logging
import time

from monitoring.history.entities import CONTAINER, NODE, POD, Entity
from monitoring.history.figures import MISSING, RESTARTS
from monitoring.history.head import Sample
from monitoring.history.history import History
from monitoring.scraping.kubelets import TOGETHER, KubeletError, Kubelets
from monitoring.scraping.owners import Owners
from monitoring.scraping.page import Place, Reader
from monitoring.scraping.totals import Totals
from web.client import FAILURES

log = logging.getLogger("monitoring.scraping")

PAGE = "/metrics/cadvisor"
PATIENCE = 10.0  # seconds for one
UNUSABLE: tuple[type[Exception], ...] = (*FAILURES, KubeletError, ValueError)
Found = tuple[Entity, int, list[int]]  # what, when (milliseconds), values


class Scraper:
    """`last` and `failed` tell its health: the time of the last round, and why nodes are silent, by name."""

    def __init__(self, kubelets: Kubelets, owners: Owners, history: History, interval: float) -> None:
        self._kubelets, self._owners, self._history, self.interval = kubelets, owners, history, interval
        self._readers: dict[str, Reader] = {}
        self._entities: dict[str, dict[Place, Entity]] = {}
        self._totals = Totals()
        self.last = 0.0  # epoch seconds of the end of the last round that reached a kubelet
        self.took = 0.0  # seconds that it took
        self.rounds = 0
        self.samples = 0
        self.failed: dict[str, str] = {}

    async def run(self) -> None:
        """Runs until cancelled."""
        while not self._owners.synced:
            await asyncio.sleep(0.05)
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await self.round()
            due = max(due + self.interval, loop.time() + 0.5)
            await asyncio.sleep(due - loop.time())

    async def round(self) -> None:
        """Asks all kubelets once."""
        started, kubelets = time.time(), self._owners.kubelets()
        for gone in self._readers.keys() - kubelets.keys():
            del self._readers[gone]
            self._entities.pop(gone, None)
            self.failed.pop(gone, None)
        self._kubelets.only(kubelets.values())
        gate = asyncio.Semaphore(TOGETHER)
        found: list[Found] = []

        async def one(name: str, address: str) -> None:
            async with gate:
                found.extend(await self._ask(name, address))

        await asyncio.gather(*(one(name, address) for name, address in kubelets.items()))
        at = int(started * 1000)
        await asyncio.to_thread(self.keep, at, found)
        self.rounds += 1
        if len(self.failed) < len(kubelets):
            self.last, self.took = time.time(), time.time() - started

    async def _ask(self, name: str, address: str) -> list[Found]:
        """What one kubelet says; nothing when it does not answer, which is told once."""
        try:
            async with asyncio.timeout(PATIENCE):
                page = await self._kubelets.get(address, PAGE)
            found = self.read(name, page, int(time.time() * 1000))
        except UNUSABLE as error:
            why = str(error) or type(error).__name__
            if name not in self.failed:
                log.warning("no figures of node %s: %s", name, why)
            self.failed[name] = why
            return []
        if self.failed.pop(name, None):
            log.info("node %s answers again", name)
        return found

    def read(self, node: str, page: bytes, now: int) -> list[Found]:
        """What a kubelet's page says; `now` (milliseconds) where it does not say when. Raises ValueError."""
        readings = self._readers.setdefault(node, Reader()).read(page)
        known = self._entities.get(node, {})
        self._entities[node] = held = {}
        found: list[Found] = []
        for place, reading in readings.items():
            namespace, pod, container = place
            if pod and not self._owners.knows(namespace, pod):
                continue  # whose it is will be known at the next round
            entity = known.get(place)
            if entity is None and pod:
                workload = self._owners.workload(namespace, pod)
                entity = Entity(CONTAINER if container else POD, node, namespace, workload, pod, container)
            held[place] = entity = entity or Entity(NODE, node=node)
            if entity.kind == CONTAINER:
                reading.values[RESTARTS] = self._owners.restarts(namespace, pod).get(container, MISSING)
            found.append((entity, reading.at or now, reading.values))
        return found

    def keep(self, at: int, found: list[Found]) -> None:
        """Blocking: the numbers of new things, the sums, and one commit."""
        numbers = self._history.number((entity for entity, _, _ in found), at)
        samples = []
        for entity, when, values in found:
            sample = Sample(numbers[entity], when, values)
            samples.append(sample)
            if entity.kind != NODE:
                self._totals.take(entity, sample)
        wholes = self._totals.now(at)
        numbers = self._history.number(wholes, at)
        samples += [Sample(numbers[whole], when, values) for whole, (when, values) in wholes.items()]
        self.samples += len(samples)
        self._history.add(at, samples)
