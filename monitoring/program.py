"""The parts of the process together, and its pages."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import orjson

import environment
from client import Client
from client.access import Access
from kube.objects import Json
from monitoring import exposition
from monitoring.discovery import Discovery, Places
from monitoring.history.history import History
from monitoring.objects import ObjectMetrics, custom
from monitoring.options import PROMETHEUS, Options
from monitoring.queries import ask
from monitoring.queries.answer import BackendError
from monitoring.queries.embedded import Embedded
from monitoring.scraping.kubelets import Kubelets
from monitoring.scraping.owners import Owners
from monitoring.scraping.scraper import Scraper
from web.http1 import JSON, METRICS, Refusal
from web.limits import configured
from web.server import Answer, Page, Request, Server, routes, text

log = logging.getLogger("monitoring")

# Dashboards, probes and scrapers: few and at intervals.
LIMITS = configured(body_bytes=0, connections=256, per_address=128)
ANSWERS = 4  # range queries answered at once: each takes a thread and a copy of what it reads
RANGE = "/api/v1/range"
# The right to it. Not its own path: /api/* may everybody get who is logged in, to discover what there is.
RIGHT = "/monitoring/api/v1/range"


def error(status: int, words: str, parameter: str = "") -> Answer:
    """An error of the API: `{"error": {"code", "message", "parameter"}}`."""
    return Answer(status, JSON, orjson.dumps({"error": {"code": status, "message": words, "parameter": parameter}}))


class Backend(Protocol):
    """Who answers range queries. Raises AskError, BackendError."""

    name: str

    async def answer(self, asked: ask.Ask) -> Json: ...


class Threaded:
    """The embedded history, read in a thread."""

    name = "embedded"

    def __init__(self, history: History, interval: int) -> None:
        self._embedded = Embedded(history, interval)

    async def answer(self, asked: ask.Ask) -> Json:
        return await asyncio.to_thread(self._embedded.answer, asked)


class Program:
    """Raises sqlite3.Error or OSError when the history cannot be opened, ValueError for a wrong configuration."""

    def __init__(self, options: Options, client: Client) -> None:
        self.options = options
        self.history = History(options.data_dir, options.limit)
        self.owners, self.access = Owners(client), Access(client.config)
        wanted = custom.parse(options.custom) if options.custom.strip() else ()
        self.objects = ObjectMetrics(client, options.labels, options.annotations, wanted)
        self.kubelets = Kubelets(client.config)
        self.scraper = Scraper(self.kubelets, self.owners, self.history, options.interval)
        own = f"http://{options.address or environment.MY_POD_IP.get() or '127.0.0.1'}:{options.port}"
        self.discovery = Discovery(client, self.objects, Places(client.config.server, own))
        self.backend: Backend = Threaded(self.history, options.interval)
        if options.backend == PROMETHEUS:
            from monitoring.queries.prometheus import Prometheus  # for its memory: most have the embedded history

            self.backend = Prometheus(options.prometheus_url, options.interval)
        self.tally = exposition.Tally()
        self._gate = asyncio.Semaphore(ANSWERS)

    async def run(self) -> None:
        """Until cancelled. Raises OSError when it cannot listen."""
        await Server(routes(self.pages()), LIMITS).listen(self.options.address or "0.0.0.0", self.options.port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.owners.run())
                group.create_task(self.objects.run())
                group.create_task(self.scraper.run())
                group.create_task(self._settle())
        finally:
            self.kubelets.close()

    async def _settle(self) -> None:
        """What is in memory once everything is read stays there: the collector need not look at it again."""
        while not (self.owners.synced and self.objects.synced and self.scraper.rounds):
            await asyncio.sleep(0.1)
        gc.collect()
        gc.freeze()

    # -- pages ---------------------------------------------------------------------------------------------------------

    def pages(self) -> dict[tuple[str, str], Page]:
        pages: dict[str, Page] = {
            "/healthz": self._health,
            "/readyz": self._ready,
            "/metrics": self._metrics,
            "/metrics/objects": self._guarded("/metrics/objects", self._objects),
            "/discovery": self._guarded("/discovery", self._discovery),
            RANGE: self._guarded(RIGHT, self._range),
        }
        return {("GET", path): page for path, page in pages.items()}

    def _guarded(self, right: str, page: Callable[[Request], Awaitable[Answer]]) -> Page:
        async def checked(request: Request) -> Answer:
            try:
                await self.access.check(request.headers.get("authorization", ""), right)
            except Refusal as refusal:
                return error(refusal.status, str(refusal))
            return await page(request)

        return checked

    async def _health(self, request: Request) -> Answer:
        return text(200, "ok")

    async def _ready(self, request: Request) -> Answer:
        if not self.owners.synced:
            return text(503, "pods, replica sets and nodes are not read yet")
        if not self.scraper.rounds:
            return text(503, "no kubelet was asked yet")
        return text(200, "ok")

    async def _metrics(self, request: Request) -> Answer:
        return Answer(200, METRICS, exposition.render(self.tally, self.scraper, self.history, self.backend.name))

    async def _objects(self, request: Request) -> Answer:
        if not self.objects.synced:
            return text(503, "not all objects are read yet")
        return Answer(200, METRICS, self.objects.render())

    async def _discovery(self, request: Request) -> Answer:
        if not self.objects.synced:
            return text(503, "not all objects are read yet")  # a list that is not whole would end scrapes
        return Answer(200, JSON, orjson.dumps(await self.discovery.targets()))

    async def _range(self, request: Request) -> Answer:
        started = time.monotonic()
        try:
            asked = ask.parse(request.query, time.time(), self.options.interval)
            async with self._gate:
                found = await self.backend.answer(asked)
        except ask.AskError as refusal:
            return error(400, str(refusal), refusal.parameter)
        except BackendError as failure:
            self.tally.failed += 1
            return error(502, str(failure))
        self.tally.answered(time.monotonic() - started)
        return Answer(200, JSON, orjson.dumps(found))
