"""The metrics of a process that has no server: over HTTPS, in a thread of its own.

It listens on the node's addresses; who reads needs a bearer token that may `get /metrics` (see `access`).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from client.access import Access
from telemetry.counting import Metrics
from telemetry.exposition import render
from web.door import bound
from web.http1 import METRICS
from web.limits import PROBES
from web.server import Answer, Request, Server, routes
from web.thread import LoopThread

log = logging.getLogger(__name__)

RETRY = 10.0  # seconds after which a port that was taken is tried again


class Exporter:
    """Serves `/metrics` (what `render` makes) and `/healthz`, open to all: `unhealthy` says what is wrong, "" for nothing."""

    def __init__(
        self,
        addresses: Sequence[str],
        port: int,
        certificate: str,
        key: str,
        access: Access,
        render: Callable[[], bytes],
        unhealthy: Callable[[], str] = lambda: "",
    ) -> None:
        self._addresses, self.port, self._files = list(dict.fromkeys(addresses)), port, (certificate, key)
        self._access, self._render, self._unhealthy = access, render, unhealthy
        self._thread = LoopThread(self._serve, "metrics")
        self._scrapes = ThreadPoolExecutor(2, "scrape")  # rendering may wait for Redis; health must not wait for that

    def start(self) -> None:
        """Begin in the background. A port that is taken is tried again until it is free: nothing else depends on it."""
        self._thread.start()

    def close(self) -> None:
        self._thread.stop()
        self._scrapes.shutdown(wait=False)

    async def _serve(self) -> None:
        server = Server(routes({("GET", "/metrics"): self._metrics, ("GET", "/healthz"): self._health}), PROBES)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._files)
        try:
            await asyncio.gather(*(self._listen(server, address, context) for address in self._addresses))
            await asyncio.Event().wait()
        finally:
            await server.close()

    async def _listen(self, server: Server, address: str, context: ssl.SSLContext) -> None:
        complained = False
        while True:
            try:
                # The node's address may come up after this process.
                self.port = await server.listen_on(bound(address, self.port, early=True), context)
                return
            except OSError as error:
                if not complained:
                    log.warning("no metrics: %s; trying again", error.strerror)
                complained = True
                await asyncio.sleep(RETRY)

    async def _health(self, request: Request) -> Answer:
        unhealthy = self._unhealthy()
        return Answer(500 if unhealthy else 200, METRICS, f"{unhealthy or 'ok'}\n".encode())

    async def _metrics(self, request: Request) -> Answer:
        await self._access.check(request.headers.get("authorization", ""), request.path)
        try:
            return Answer(200, METRICS, await asyncio.get_running_loop().run_in_executor(self._scrapes, self._render))
        except Exception as error:  # Redis is away, for one: the scraper is told
            log.warning("no metrics: %s", error)
            return Answer(503, METRICS, f"no metrics: {error}\n".encode())


def pages(metrics: Metrics, more: Callable[[], bytes] = lambda: b"") -> Callable[[], bytes]:
    """A `render` for counted metrics; `more` makes further families."""
    return lambda: render(metrics) + more()
