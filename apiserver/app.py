"""The ASGI application: authenticate, impersonate, authorise, answer; every error becomes a Status here, once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from apiserver import auditing, authorization, discovery, dispatch, health, metrics, openid, response, version
from apiserver.aggregation import proxy
from apiserver.authn.impersonation import impersonate
from apiserver.fairness.control import REST
from apiserver.request import Receive, Request, not_allowed
from apiserver.response import Answer, Response, Send, Stream
from apiserver.state import State
from kube.errors import ApiError, BadRequest, InternalError, Unauthorized

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Answer]]


async def _openapi(request: Request) -> Answer:
    from apiserver import openapi  # reads schemas: only in processes that are asked for them

    query = request.scope["query_string"].decode("latin-1")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
    path = request.info.path + (f"?{query}" if query else "")
    # In a thread: a document is built when it is first asked for, which takes half a second.
    kinds = list(request.state.registry.all())
    remotes = request.state.remotes.all()
    status, answered, body = await asyncio.to_thread(openapi.respond, path, headers, kinds, remotes)
    kind = answered.pop("content-type", "application/json")
    return Response(body, status, kind, [(k.encode(), v.encode()) for k, v in answered.items()])


async def _root(request: Request) -> Answer:
    known = discovery.catalogue(request.state)
    groups = [f"/apis/{group}" for group in known.groups()]
    versions = [f"/apis/{group}/{v}" for group in known.groups() for v in known.versions[group]]
    fixed = ["/api", "/api/v1", "/apis", "/openapi/v2", "/openapi/v3", *EXACT, *(f"/{name}" for name in BELOW)]
    return response.json_response({"paths": sorted({*fixed, *groups, *versions} - {"", "/openapi"})})


EXACT: dict[str, Handler] = {
    "": _root,
    "/version": version.handle,
    "/metrics": metrics.handle,
    "/api": discovery.api,
    "/apis": discovery.apis,
    openid.CONFIGURATION: openid.configuration,
    openid.KEYS: openid.keys,
}
BELOW: dict[str, Handler] = {
    "healthz": health.handle,
    "livez": health.handle,
    "readyz": health.handle,
    "openapi": _openapi,
}


# What orjson says, as a TypeError, of what a client may well have sent: deeper than 254 levels, or numbers of that size.
UNWRITABLE = ("Recursion limit reached", "Integer exceeds 64-bit range")


class App:
    """The application over one `State`."""

    def __init__(self, state: State) -> None:
        self.state = state

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        request = Request(scope, receive, self.state)
        answer: Answer | None = None
        try:
            answer = await self.answer(request)
            if request.event is not None:
                auditing.answering(request, request.event, answer)
            if isinstance(answer, Response) and request.pretty:
                await answer.indent()
            metrics.observe(request, answer, time.perf_counter() - started)
            if request.ticket is not None:
                answer = request.ticket.hold(answer)
            if isinstance(answer, (Response, Stream)):
                answer.headers += request.ticket.headers if request.ticket is not None else ()
                answer.headers.append((auditing.ID, request.audit_id.encode()))
            if "tunnel" in scope and isinstance(answer, Response):
                # Nothing can follow a refused upgrade: the client may already have sent what was meant for the other side.
                answer.headers.append((b"connection", b"close"))
            await answer.send(send, request.header(b"accept-encoding"), scope.get("direct"))
            if request.ticket is not None and request.ticket.rejected and "direct" in scope:
                scope["direct"].protocol.rest(REST)
        finally:
            if request.ticket is not None:
                request.ticket.done()
            if request.event is not None:
                auditing.answered(request.event, answer)

    async def answer(self, request: Request) -> Answer:
        """The answer to a request, whatever happens. Its warnings are given even if it fails."""
        try:
            answer = await self._handle(request)
        except ApiError as error:
            answer = response.of_error(error)
        except Exception as error:
            if isinstance(error, RecursionError) or str(error) in UNWRITABLE:
                answer = response.of_error(BadRequest(f"the object cannot be stored as JSON: {error}"))
            else:  # the last line of defence: a bug must answer 500, not break the connection
                log.exception("%s %s failed", request.method, request.info.path)
                if request.event is not None:
                    auditing.failed(request.event, error)
                answer = response.of_error(InternalError(f"Internal error occurred: {type(error).__name__}: {error}"))
        if request.warnings:
            answer.warnings = [*request.warnings, *(w for w in answer.warnings if w not in request.warnings)]
        return answer

    async def _handle(self, request: Request) -> Answer:
        try:
            request.user = await request.state.authenticator.authenticate(request)
        except Unauthorized:
            auditing.begin(request, None)
            raise
        auditing.begin(request, request.user)
        request.user = await impersonate(request)
        await request.state.fairness.enter(request)
        await authorization.authorize(request)
        if (remote := proxy.remote_of(request)) is not None:
            return await proxy.handle(request, remote)
        if request.info.is_resource:
            return await dispatch.handle(request)
        return await _plain(request)


async def _plain(request: Request) -> Answer:
    """Everything that is not a resource."""
    path = request.info.path.rstrip("/")
    parts = path.split("/")[1:]
    handler = EXACT.get(path) or BELOW.get(parts[0] if parts else "")
    discovering = parts and parts[0] in ("api", "apis") and len(parts) > 1
    if handler is None and not discovering:
        return response.page_not_found()
    if request.method not in ("GET", "HEAD"):
        raise not_allowed()
    if handler is not None:
        return await handler(request)
    return await (discovery.below_api if parts[0] == "api" else discovery.below_apis)(request, parts[1:])
