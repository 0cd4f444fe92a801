"""The pages of simulated kubelets: one port of loopback for each node, one server behind them all.

Figures are made up when somebody asks, and only then.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import ssl
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import orjson
from aiohttp import web

from kubelet.node import VERSION
from kubelet.server.app import check_token
from kubelet.simulate import figures
from kubelet.stats import cadvisor, resources, summary
from kubelet.stats.exposition import CONTENT_TYPE, Page
from kubelet.stats.model import Snapshot
from telemetry.access import Access

Json = dict[str, Any]
ADDRESS = "127.0.0.1"
KEEP = 1.0  # seconds for which the pods are known by their nodes: a round asks for all nodes, one after the other


class Server:
    """`pods`: all pods, trimmed; `since`: when a node was registered (epoch seconds)."""

    def __init__(self, context: ssl.SSLContext, access: Access, pods: Callable[[], Iterable[Json]],
                 since: Callable[[str], float]) -> None:
        self._context, self._access, self._pods, self._since = context, access, pods, since
        self._names: dict[int, str] = {}
        self._open: dict[str, tuple[int, asyncio.Task[asyncio.Server]]] = {}
        self._totals: dict[str, tuple[float, float]] = {}
        self._by_node: dict[str, list[Json]] = {}
        self._looked = 0.0
        app = web.Application(middlewares=[self._only_known])
        for path, page in (("/metrics", self._own), ("/metrics/cadvisor", self._cadvisor), ("/metrics/node", self._machine),
                           ("/metrics/resource", self._resource), ("/stats/summary", self._summary)):
            app.router.add_get(path, page)
        app.router.add_get("/healthz", self._healthz)
        # Idle connections are closed soon: each holds a quarter of a megabyte for TLS.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, keepalive_timeout=20.0)

    async def start(self) -> None:
        # A descriptor for each node, and more for those who ask.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        await self._runner.setup()

    async def close(self) -> None:
        for name in list(self._open):
            self.drop(name)
        await self._runner.cleanup()

    def port(self, name: str) -> int:
        """The port of a node, on which it listens from now on."""
        if name not in self._open:
            listener = socket.socket()
            listener.bind((ADDRESS, 0))
            listener.listen()  # at once: the node's status names the port before the loop serves it
            port = listener.getsockname()[1]
            protocol = self._runner.server
            assert protocol is not None, "started before nodes are known"
            opening = asyncio.get_running_loop().create_server(protocol, sock=listener, ssl=self._context)
            self._names[port], self._open[name] = name, (port, asyncio.ensure_future(opening))
        return self._open[name][0]

    def names(self) -> set[str]:
        """The nodes that listen."""
        return set(self._open)

    def drop(self, name: str) -> None:
        """A node that is gone listens no more."""
        port, opening = self._open.pop(name, (0, None))
        self._names.pop(port, None)
        self._totals.pop(name, None)
        if opening is not None:
            opening.add_done_callback(lambda done: done.result().close())

    # -- pages ----------------------------------------------------------------------------------------------------------

    def _name(self, request: web.Request) -> str:
        transport = request.transport
        address = transport.get_extra_info("sockname") if transport is not None else None  # None: the client is gone
        if address is None or address[1] not in self._names:
            raise web.HTTPNotFound(text="this node is gone\n")
        return self._names[address[1]]

    def _snapshot(self, request: web.Request) -> Snapshot:
        name = self._name(request)
        now = time.monotonic()
        if now - self._looked > KEEP:
            found: defaultdict[str, list[Json]] = defaultdict(list)
            for pod in self._pods():
                found[pod["node"]].append(pod)
            self._by_node, self._looked = found, now
        made = figures.snapshot(name, self._since(name), self._by_node.get(name, ()), time.time())
        # Pods take their totals with them when they go; a node's must not fall for that.
        at, total = self._totals.get(name, (made.node.at, made.node.usage.cpu))
        made.node.usage.cpu = total + (made.node.rate or 0.0) * (made.node.at - at)
        self._totals[name] = made.node.at, made.node.usage.cpu
        return made

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _cadvisor(self, request: web.Request) -> web.Response:
        return _text(cadvisor.render(self._snapshot(request), VERSION, "6.1.0-sim", "Simulated Linux"))

    async def _resource(self, request: web.Request) -> web.Response:
        return _text(resources.render(self._snapshot(request)))

    async def _summary(self, request: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(summary.render(self._snapshot(request))), content_type="application/json")

    async def _own(self, request: web.Request) -> web.Response:
        found, page = self._snapshot(request), Page()
        for name, value, labels in (
                ("kubelet_node_name", 1, {"node": found.node.name}), ("kubernetes_build_info", 1, {"git_version": VERSION}),
                ("kubelet_running_pods", len(found.pods), {}),
                ("kubelet_running_containers", sum(len(p.containers) for p in found.pods), {"container_state": "running"})):
            page.declare(name, "gauge", "As of a kubelet.")
            page.add(name, value, labels)
        return _text(page.text())

    async def _machine(self, request: web.Request) -> web.Response:
        node, page = self._snapshot(request).node, Page()
        page.declare("node_cpu_seconds_total", "counter", "Seconds the CPUs spent in each mode.")
        for cpu in range(node.cpus):
            busy = node.usage.cpu / node.cpus
            page.add("node_cpu_seconds_total", busy, {"cpu": str(cpu), "mode": "user"})
            page.add("node_cpu_seconds_total", max(node.at - node.started_at - busy, 0), {"cpu": str(cpu), "mode": "idle"})
        free = node.memory_total - node.usage.working_set
        for field, value in (("MemTotal", node.memory_total), ("MemAvailable", free), ("MemFree", free), ("Buffers", 0),
                             ("Cached", node.usage.cache), ("Slab", 0)):
            page.declare(f"node_memory_{field}_bytes", "gauge", f"Memory information field {field}.")
            page.add(f"node_memory_{field}_bytes", value)
        return _text(page.text())

    @web.middleware
    async def _only_known(self, request: web.Request,
                          handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        # Of all nodes, not of this: a thousand reviews of one token would say the same.
        await check_token(request, self._access, "")
        return await handler(request)


def _text(text: str) -> web.Response:
    return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})
