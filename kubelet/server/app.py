"""Routes, TLS and who may call."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from aiohttp import web

from kubelet.server import attach, execs, logs, metrics, portforward, state, stats
from kubelet.server.auth import Guard, Handler, guarded
from kubelet.server.containers import AGENT
from web.aio import Site
from web.limits import configured

if TYPE_CHECKING:
    from kubelet.agent import Agent


GUARD = web.AppKey("guard", Guard)


def build(agent: Agent) -> web.Application:
    app = web.Application(middlewares=[only_who_may])
    app[AGENT] = agent
    app[GUARD] = Guard(agent.client)
    target = "/{namespace}/{pod}/{container}"
    app.router.add_get("/healthz", state.healthz)
    app.router.add_get("/pods", state.pods)
    app.router.add_get("/metrics", metrics.handle)
    app.router.add_get("/metrics/cadvisor", stats.cadvisor)
    app.router.add_get("/metrics/resource", stats.resource)
    app.router.add_get("/metrics/node", stats.node)
    app.router.add_get("/stats/summary", stats.summary)
    app.router.add_get("/containerLogs" + target, logs.handle)
    app.router.add_post("/run" + target, execs.run)
    app.router.add_route("*", "/exec" + target, execs.handle)
    app.router.add_route("*", "/attach" + target, attach.handle)
    app.router.add_route("*", "/portForward/{namespace}/{pod}", portforward.handle)
    return app


@web.middleware
async def only_who_may(request: web.Request, handler: Handler) -> web.StreamResponse:
    app = request.app
    return await guarded(app[GUARD], request, request.path, app[AGENT].options.node_name, handler)


def tls(certificate: str, key: str, client_ca: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(client_ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


async def start(agent: Agent) -> Site:
    """Serves on the node's address, and on loopback for the API server of the same machine."""
    options = agent.options
    site = Site(build(agent), configured())
    await site.start(
        [options.address, "127.0.0.1"], options.port, tls(options.tls_cert, options.tls_key, options.client_ca)
    )
    return site
