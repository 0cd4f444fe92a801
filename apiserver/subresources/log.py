"""pods/log: the log of a container, streamed from the kubelet of its node."""

from __future__ import annotations

from urllib.parse import urlencode

from apiserver import websocket
from apiserver.backend import Exchange, until_gone
from apiserver.request import Request, only
from apiserver.response import Answer, Response, Stream
from apiserver.subresources.nodes import container_of, node_target, pod_of
from kube.errors import ApiError, BadRequest, FieldError, Invalid, NotFound, forbidden, invalid
from kube.registry import Kind

OPTIONS = (
    "follow",
    "previous",
    "sinceSeconds",
    "sinceTime",
    "timestamps",
    "tailLines",
    "limitBytes",
    "stream",
    "insecureSkipTLSVerifyBackend",
)


async def handle(request: Request, kind: Kind) -> Answer:
    """Stream the log; empty (204) for a pod that no node has yet."""
    only(request, "get")
    _check_options(request)
    pod = pod_of(request)
    container = container_of(request, pod)
    node = pod["spec"].get("nodeName")
    if not node:
        return Response(b"", 204, "text/plain")
    target = node_target(request, node)
    options = {name: request.query(name) for name in OPTIONS if request.has_query(name)}
    meta = pod["metadata"]
    path = f"/containerLogs/{meta['namespace']}/{meta['name']}/{container}" + (
        f"?{urlencode(options)}" if options else ""
    )
    exchange = Exchange(target)
    await exchange.start("GET", path, [(b"accept", b"*/*")])
    if exchange.status >= 400:
        # What the kubelet said, as a Status.
        text = (await exchange.text()).strip()
        if exchange.status == 404:
            missing = NotFound("pods/log", "")
            missing.message = text or missing.message
            raise missing
        if exchange.status == 400:
            raise BadRequest(text)
        raise ApiError(text or "the kubelet gave no log", code=exchange.status)
    if websocket.wanted(request):
        try:
            return await websocket.send(request, exchange.chunks())
        finally:
            exchange.close()
    return Stream(until_gone(request, exchange), "text/plain", release=exchange.close, patient=True)


def _check_options(request: Request) -> None:
    """Raises Invalid for options that cannot be meant."""
    errors: list[FieldError] = []
    tail, limit, since = (request.integer(name) for name in ("tailLines", "limitBytes", "sinceSeconds"))
    if tail is not None and tail < 0:
        errors.append(invalid("tailLines", tail, "must be greater than or equal to 0"))
    if limit is not None and limit < 1:
        errors.append(invalid("limitBytes", limit, "must be greater than 0"))
    if since is not None and request.query("sinceTime"):
        errors.append(forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    elif since is not None and since < 1:
        errors.append(invalid("sinceSeconds", since, "must be greater than 0"))
    if errors:
        raise Invalid("PodLogOptions", "", errors)
