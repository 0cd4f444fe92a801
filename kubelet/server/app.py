"""Routes, TLS and who may call."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from kubelet.server import attach, execs, logs, metrics, portforward, state, stats
from kubelet.server.auth import Guard, Handler, guarded
from kubelet.server.containers import AGENT

if TYPE_CHECKING:
    from kubelet.agent import Agent


log = logging.getLogger(__name__)

GUARD = web.AppKey("guard", Guard)


class FaultsOfOurs(logging.Filter):
    """Lets through what this program did wrong. What a client sent, or that it left, is no reason for a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, (HttpProcessingError, ConnectionError)):
            return True
        log.debug("%s: %.200s", record.getMessage(), error)
        return False


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


def runner_of(app: web.Application) -> web.AppRunner:
    """Runs it, and logs only what is this program's fault."""
    quiet = logging.getLogger("aiohttp.server")
    if not any(isinstance(one, FaultsOfOurs) for one in quiet.filters):
        quiet.addFilter(FaultsOfOurs())
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)  # it warns of protocols that clients offer
    return web.AppRunner(app, access_log=None, shutdown_timeout=1.0, logger=quiet)


async def start(agent: Agent) -> web.AppRunner:
    """Serves on the node's address, and on loopback for the API server of the same machine."""
    options = agent.options
    runner = runner_of(build(agent))
    await runner.setup()
    context = tls(options.tls_cert, options.tls_key, options.client_ca)
    for address in dict.fromkeys([options.address, "127.0.0.1"]):
        await web.TCPSite(runner, address, options.port, ssl_context=context, reuse_address=True).start()
    return runner
