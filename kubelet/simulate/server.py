"""The pages of simulated kubelets, all behind one port: each node's are below a path of its own, which an annotation of the
node names, as KWOK's nodes have it. So a scraper keeps a few connections, not a thousand.

Figures are made up when somebody asks, and only then.
"""

from __future__ import annotations

import ssl
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

import orjson
from aiohttp import web

from kube.objects import Json
from kubelet.node import VERSION
from kubelet.server.auth import Guard, Handler, guarded
from kubelet.simulate import figures
from kubelet.stats import cadvisor, resources, summary
from kubelet.stats.model import Snapshot
from telemetry.exposition import Page
from web.aio import Site
from web.http1 import METRICS as CONTENT_TYPE
from web.limits import configured

KEEP = 1.0  # seconds for which the pods are known by their nodes: a round asks for all nodes, one after the other
NODES = "/metrics/nodes"


class Server:
    """`pods`: all pods, trimmed; `since`: when a node was registered (epoch seconds), None for one that is not ours."""

    def __init__(
        self,
        context: ssl.SSLContext,
        guard: Guard,
        pods: Callable[[], Iterable[Json]],
        since: Callable[[str], float | None],
    ) -> None:
        self._context, self._guard, self._pods, self._since = context, guard, pods, since
        self._totals: dict[str, tuple[float, float]] = {}
        self._by_node: dict[str, list[Json]] = {}
        self._looked = 0.0
        app = web.Application(middlewares=[self._only_who_may])
        app.router.add_get("/healthz", self._healthz)
        for path, page in (
            ("/metrics", self._own),
            ("/metrics/cadvisor", self._cadvisor),
            ("/metrics/node", self._machine),
            ("/metrics/resource", self._resource),
            ("/stats/summary", self._summary),
        ):
            app.router.add_get(f"{NODES}/{{name}}{path}", page)
        # Idle connections are closed: each holds a quarter of a megabyte for TLS.
        self._site = Site(app, configured(idle_seconds=60.0))

    async def start(self, addresses: Iterable[str], port: int = 0) -> int:
        """Listen on all of the addresses at one port, a free one if it is 0; which. Raises OSError."""
        return await self._site.start(addresses, port, self._context)

    async def close(self) -> None:
        await self._site.close()

    def drop(self, name: str) -> None:
        """A node is gone."""
        self._totals.pop(name, None)

    # -- pages ----------------------------------------------------------------------------------------------------------

    def _snapshot(self, request: web.Request) -> Snapshot:
        name = request.match_info["name"]
        since = self._since(name)
        if since is None:
            raise web.HTTPNotFound(text="there is no such node here\n")
        now = time.monotonic()
        if now - self._looked > KEEP:
            found: defaultdict[str, list[Json]] = defaultdict(list)
            for pod in self._pods():
                found[pod["node"]].append(pod)
            self._by_node, self._looked = found, now
        made = figures.snapshot(name, since, self._by_node.get(name, ()), time.time())
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
        brief = request.query.get("only_cpu_and_memory") == "true"
        made = summary.render(self._snapshot(request), brief=brief)
        return web.Response(body=orjson.dumps(made), content_type="application/json")

    async def _own(self, request: web.Request) -> web.Response:
        found, page = self._snapshot(request), Page()
        for name, value, labels in (
            ("kubelet_node_name", 1, {"node": found.node.name}),
            ("kubernetes_build_info", 1, {"git_version": VERSION}),
            ("kubelet_running_pods", len(found.pods), {}),
            ("kubelet_running_containers", sum(len(p.containers) for p in found.pods), {"container_state": "running"}),
        ):
            page.declare(name, "gauge", "As of a kubelet.")
            page.add(name, value, labels)
        return _text(page.text())

    async def _machine(self, request: web.Request) -> web.Response:
        node, page = self._snapshot(request).node, Page()
        page.declare("node_cpu_seconds_total", "counter", "Seconds the CPUs spent in each mode.")
        for cpu in range(node.cpus):
            busy = node.usage.cpu / node.cpus
            page.add("node_cpu_seconds_total", busy, {"cpu": str(cpu), "mode": "user"})
            page.add(
                "node_cpu_seconds_total", max(node.at - node.started_at - busy, 0), {"cpu": str(cpu), "mode": "idle"}
            )
        free = node.memory_total - node.usage.working_set
        for field, value in (
            ("MemTotal", node.memory_total),
            ("MemAvailable", free),
            ("MemFree", free),
            ("Buffers", 0),
            ("Cached", node.usage.cache),
            ("Slab", 0),
        ):
            page.declare(f"node_memory_{field}_bytes", "gauge", f"Memory information field {field}.")
            page.add(f"node_memory_{field}_bytes", value)
        return _text(page.text())

    @web.middleware
    async def _only_who_may(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        # Of all nodes, not of this: a thousand reviews of one token would say the same.
        path = request.path.removeprefix(f"{NODES}/{request.match_info.get('name', '')}")
        return await guarded(self._guard, request, path, "", handler)


def _text(text: str) -> web.Response:
    return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})
