"""`python -m logs.ship`: ships a node's logs until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import signal
import sys
import time
from collections.abc import Coroutine, Iterator
from itertools import chain
from typing import Any

import environment
from client.api import Client
from client.kubeconfig import Config, KubeconfigError
from logs.record import Origin, Store
from logs.ship import metrics
from logs.ship.agent import Agent
from logs.ship.catalog import Where, containers, programs
from logs.ship.deadletters import DeadLetters
from logs.ship.events import KEY, Events
from logs.ship.metadata import Pods
from logs.ship.options import api, parse
from logs.ship.positions import Positions
from logs.ship.sending import Sender
from telemetry.exposition import Page as Exposition
from telemetry.logs import set_up
from web.client import HttpSession
from web.http1 import METRICS, TEXT
from web.limits import PROBES
from web.server import Answer, Page, Request, routes, text
from web.server import Server as WebServer

log = logging.getLogger("logs.ship")

SYNC = 15.0  # seconds that the first lines wait for the pods of this node
STUCK = 120.0  # seconds without a turn of the loop after which the process is not healthy
SERVICE = "/api/v1/namespaces/kube-system/services/log-store"
UNREACHABLE = 60.0  # seconds without the store after which it is not ready


class Program:
    """The parts together. Raises OSError, ValueError or KubeconfigError when it cannot start."""

    def __init__(self, options: argparse.Namespace, config: Config | None) -> None:
        self._options = options
        self._metrics = metrics.Metrics()
        self._positions = Positions(options.state_dir)
        self._api = Client(config, connections=2, user_agent="binnacle-log-shipper") if config else None
        self._sender = Sender(self._store(), DeadLetters(options.state_dir), self._metrics, self._positions.save)
        self._pods = Pods(self._api, options.node, lambda uid: self._agent.redescribe(uid)) if self._api else None
        self._agent = Agent(self._find, self._describe, self._positions, self._sender, self._metrics)

    def _store(self) -> Store:
        # Only what was chosen is imported: this process is on every node.
        if self._options.store == "embedded":
            from logs.ship.ingest import Ingest

            return Ingest(self._embedded)
        from logs.elastic.store import Elasticsearch

        return Elasticsearch(_server(self._options.elasticsearch), self._options.refresh)

    async def _embedded(self) -> HttpSession:
        """Where the embedded store listens. Raises ApiStatusError, OSError or LookupError while that is not known."""
        if self._options.ingest or self._api is None:
            return HttpSession(self._options.ingest, self._api.headers if self._api else dict, again=True)
        service = (await self._api.get(SERVICE))["spec"]
        address = service["clusterIP"]
        return HttpSession(
            f"http://{f'[{address}]' if ':' in address else address}:{service['ports'][0]['port']}",
            self._api.headers,
            again=True,
        )

    def _find(self) -> Iterator[Where]:
        if self._options.pods_dir:
            yield from containers(self._options.pods_dir)
        yield from chain.from_iterable(map(programs, self._options.programs_dir))

    def _describe(self, where: Where, alone: bool) -> Origin | None:
        if self._pods is not None:
            return self._pods.describe(where, (alone and self._pods.synced) or time.monotonic() - self._started > SYNC)
        known = {
            "namespace": where.namespace,
            "pod": where.pod,
            "pod_uid": where.uid,
            "container": where.container,
            "node": self._options.node,
        }
        return Origin(where.source, known)

    # -- pages

    def pages(self) -> dict[tuple[str, str], Page]:
        return {("GET", "/metrics"): self._figures, ("GET", "/health"): self._health, ("GET", "/ready"): self._ready}

    async def _figures(self, request: Request) -> Answer:
        page = Exposition()
        page.rows((f"binnacle_log_shipper_{name}", kind, text, value) for name, kind, text, value in self._agent.rows())
        return Answer(200, METRICS, page.text().encode())

    async def _health(self, request: Request) -> Answer:
        if not self._sender.idle or time.monotonic() - self._agent.beat < STUCK:
            return Answer(200, TEXT, b"OK")
        return text(503, "nothing was read or sent for two minutes")

    async def _ready(self, request: Request) -> Answer:
        if self._pods is not None and not self._pods.synced:
            return text(503, "the pods of this node are not read yet")
        if self._metrics.down_for() > UNREACHABLE:
            return text(503, f"the store takes nothing: {self._metrics.failing}")
        return Answer(200, TEXT, b"OK")

    # -- running

    async def run(self) -> None:
        """Until SIGTERM or SIGINT."""
        self._started = time.monotonic()
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        await WebServer(routes(self.pages()), PROBES).listen(
            self._options.address or "0.0.0.0", self._options.http_port
        )
        tasks = [asyncio.create_task(part) for part in self._parts()]
        ending = asyncio.create_task(stopped.wait())
        waited: set[asyncio.Task[Any]] = {*tasks, ending}
        done, _ = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._agent.close()
        for task in done - {ending}:
            task.result()

    def _parts(self) -> Iterator[Coroutine[None, None, None]]:
        yield self._agent.run()
        yield self._settle()
        if self._pods is not None:
            yield self._pods.run()
        events = self._options.events
        if events == "auto":  # by the node that has the API server
            here = any((folder / "apiserver.log").exists() for folder in self._options.programs_dir)
            events = "always" if here else "never"
        if self._api is not None and events == "always":
            yield Events(self._api, self._positions.get(KEY), self._agent.add).run()
        if self._options.store == "elasticsearch":
            from logs.elastic.retention import keep_swept  # imported here for the same reason

            yield keep_swept(
                _server(self._options.elasticsearch), self._options.retention_days, self._options.retention_size
            )

    async def _settle(self) -> None:
        """What is in memory now stays there: the collector need not look at it again."""
        await asyncio.sleep(2)
        gc.collect()
        gc.freeze()
        await asyncio.Event().wait()


def _server(url: str) -> HttpSession:
    words = environment.LOG_STORE_AUTHORIZATION.get()
    return HttpSession(url, (lambda: {"Authorization": words}) if words else dict, again=True)


def main() -> None:
    set_up()
    options = parse()
    try:
        asyncio.run(Program(options, api(options)).run())
    except (OSError, ValueError, KubeconfigError) as error:
        sys.exit(f"logs.ship: {error}")


if __name__ == "__main__":
    main()
