"""`python -m dnsserver`: serves the cluster's names until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import time

import uvloop

from client import Client
from client.kubeconfig import KubeconfigError
from client.pod import api
from dnsserver import config
from dnsserver.listeners import Listeners
from dnsserver.metrics import Metrics
from dnsserver.options import Options, parse
from dnsserver.records import Records
from dnsserver.server import Server
from dnsserver.sources import Sources
from telemetry import logs
from telemetry.exposition import render
from web.http1 import METRICS, TEXT
from web.limits import PROBES
from web.server import Answer, Page, Request, routes, text
from web.server import Server as WebServer

log = logging.getLogger("dnsserver")

LOOK = 2.0  # seconds between looks at the configuration
LEAVE = 1.0  # seconds that questions are still answered after SIGTERM, while the service's rules turn to others


class Program:
    """The parts together. Raises ConfigError when the configuration cannot be used at the start."""

    def __init__(self, options: Options, client: Client, metrics: Metrics) -> None:
        self.options, self.metrics = options, metrics
        self._seen = self._files()
        self.records = Records()
        self.server = Server(
            self.records,
            options.domain,
            list(options.ranges),
            self._config(),
            self.metrics,
            lambda: self.sources.synced,
        )
        self.sources = Sources(client, self.records, self.metrics, self.server.forget, self.server.forget_all)
        self._follow_pods()
        self._declare_gauges()
        self.stopping = asyncio.Event()

    # -- configuration --------------------------------------------------------------------------------------------------

    def _files(self) -> tuple[dict[str, str], str]:
        try:
            machine = self.options.resolv_conf.read_text()
        except OSError:
            machine = ""
        return config.read(self.options.config_dir), machine

    def _config(self) -> config.Config:
        return config.make(self._seen[0], self.options.resolv_conf, self.options.own, alone=self.options.alone)

    def _follow_pods(self) -> None:
        self.sources.follow_pods(self.server.zone.pod_records == config.VERIFIED)

    async def _follow_config(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            try:
                files = self._files()
                if files == self._seen:
                    continue
                self._seen = files
                self.server.use(self._config())
                self._follow_pods()
                log.info("took the changed configuration")
            except (OSError, ValueError) as error:
                self.metrics.reloads_failed.add()
                log.error("the changed configuration cannot be used, going on with the old one: %s", error)

    # -- pages ----------------------------------------------------------------------------------------------------------

    def pages(self) -> dict[tuple[str, str], Page]:
        return {("GET", "/metrics"): self._metrics, ("GET", "/health"): self._health, ("GET", "/ready"): self._ready}

    async def _health(self, request: Request) -> Answer:
        return Answer(200, TEXT, b"OK")

    async def _metrics(self, request: Request) -> Answer:
        return Answer(200, METRICS, render(self.metrics))

    async def _ready(self, request: Request) -> Answer:
        if self.stopping.is_set():
            return text(503, "stopping")
        if not self.sources.complete:
            return text(503, "services, endpointslices, namespaces or pods are not read yet")
        return Answer(200, TEXT, b"OK")

    def _declare_gauges(self) -> None:
        gauge, version = self.metrics.gauge, ".".join(map(str, sys.version_info[:3]))
        gauge(
            "coredns_build_info", "What is running; the value is always 1.", "version", "revision", "pythonversion"
        ).set(1, "binnacle", "", version)
        kept = gauge(
            "coredns_cache_entries", "Replies of upstream servers that are kept.", "server", "type", "zones", "view"
        )
        services, endpoints = (
            gauge("binnacle_dns_services", "Services known."),
            gauge("binnacle_dns_endpoints", "Ready endpoints known."),
        )
        up = gauge("binnacle_dns_api_up", "Whether the API answers; while it does not, answers may be stale.")
        contact = gauge("binnacle_dns_api_last_contact_timestamp_seconds", "When the API last answered; 0: never.")

        def look() -> None:
            for kind, count in self.server.upstream.cache.sizes():
                kept.set(count, self.metrics.server, kind, ".", "")
            for family, count in zip((services, endpoints), self.records.count(), strict=True):
                family.set(count)
            up.set(float(self.sources.reachable))
            contact.set(self.sources.contact)

        self.metrics.before.append(look)

    # -- running --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises OSError when it cannot listen."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        pages, questions = WebServer(routes(self.pages()), PROBES), Listeners(self.server)
        for address in self.options.addresses:
            try:
                await questions.listen(address, self.options.port)
                await pages.listen(address, self.options.http_port)
            except OSError:
                if address != "::":  # a machine without IPv6 is served by IPv4
                    raise
        tasks = [
            asyncio.ensure_future(self.sources.run()),
            asyncio.ensure_future(self._follow_config()),
            asyncio.ensure_future(self._settle()),
        ]
        stopped = asyncio.ensure_future(self.stopping.wait())
        await asyncio.wait({*tasks[:2], stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks[:2]:
            if task.done():
                task.result()
        await asyncio.sleep(LEAVE)

    async def _settle(self) -> None:
        """What is in memory once everything is read stays there: the collector need not look at it again."""
        while not self.sources.complete:
            await asyncio.sleep(0.05)
        log.info("ready: %d services, %d endpoints", *self.records.count())
        gc.collect()
        gc.freeze()


async def main(options: Options) -> None:
    where = api(options.api_server, options.kubeconfig)
    metrics = Metrics(f"dns://:{options.port}")
    async with Client(where, connections=8, user_agent="binnacle-dns", observer=metrics.api) as client:
        await Program(options, client, metrics).run()


if __name__ == "__main__":
    logs.set_up()
    started = time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(main(parse()))
        except (OSError, config.ConfigError, KubeconfigError) as error:
            sys.exit(f"dnsserver: {error}")
    log.info("stopped after %.0f s", time.monotonic() - started)
