"""Routes, TLS and who may call."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from kubelet.server import attach, execs, logs, metrics, portforward, state, stats
from kubelet.server.containers import AGENT
from telemetry.access import Access

if TYPE_CHECKING:
    from kubelet.agent import Agent


ACCESS = web.AppKey("access", Access)


def build(agent: Agent) -> web.Application:
    app = web.Application(middlewares=[only_known_clients])
    app[AGENT] = agent
    app[ACCESS] = Access(agent.client.config.server, agent.client.config.ca)
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
async def only_known_clients(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Everything but health needs a client certificate of the cluster's CA; figures can be had with a bearer token too."""
    await check_token(request, request.app[ACCESS], request.path.split("/")[1], request.app[AGENT].options.node_name)
    return await handler(request)


async def check_token(request: web.Request, access: Access, part: str, node: str) -> None:
    """Whether who asks for a `part` has a certificate, or a token that may `get` nodes/metrics or nodes/stats.

    Raises HTTPException.
    """
    transport = request.transport
    if request.path == "/healthz" or (transport is not None and transport.get_extra_info("peercert")):
        return
    token = request.headers.get("Authorization", "")
    if part not in ("metrics", "stats") or not token:
        raise web.HTTPUnauthorized(text="Unauthorized: a client certificate of the cluster's CA is needed\n")
    status = await asyncio.to_thread(access.check_resource, token, "nodes", part, node)
    if status == 403:
        raise web.HTTPForbidden(text=f"Forbidden: the token may not get nodes/{part} of {node}\n")
    if status == 401:
        raise web.HTTPUnauthorized(text="Unauthorized: the API server does not know this token\n")
    if status != 200:
        raise web.HTTPServiceUnavailable(text="the API server could not be asked about the token\n")


def tls(certificate: str, key: str, client_ca: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(client_ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


async def start(agent: Agent) -> web.AppRunner:
    """Serves on the node's address, and on loopback for the API server of the same machine."""
    options = agent.options
    runner = web.AppRunner(build(agent), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    context = tls(options.tls_cert, options.tls_key, options.client_ca)
    for address in dict.fromkeys([options.address, "127.0.0.1"]):
        await web.TCPSite(runner, address, options.port, ssl_context=context, reuse_address=True).start()
    return runner
