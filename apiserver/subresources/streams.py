"""pods/exec, attach and portforward: the client's upgraded connection, handed through to the kubelet.

WebSocket and SPDY look the same from here: bytes. What is checked is who may, and which container is meant.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import urlencode

from apiserver import backend
from apiserver.authorization import attributes, forbidden
from apiserver.request import Request, only
from apiserver.response import Answer
from apiserver.subresources import connecting
from apiserver.subresources.nodes import container_of, node_target, pod_of
from kube.errors import BadRequest
from kube.registry import Kind

Handler = Callable[[Request, Kind], Awaitable[Answer]]


def handler(kubelet_path: str, options: tuple[str, ...], with_container: bool = True) -> Handler:
    """A handler that connects to `/kubelet_path/NAMESPACE/POD[/CONTAINER]` with these options of the request."""

    async def handle(request: Request, kind: Kind) -> Answer:
        only(request, "get", "create")
        await _check_create(request)
        await connecting.admit(request, kind)
        pod = pod_of(request)
        container = container_of(request, pod) if with_container else ""
        node = pod["spec"].get("nodeName")
        if not node:
            raise BadRequest(f"pod {pod['metadata']['name']} does not have a host assigned")
        target = node_target(request, node)
        if "tunnel" not in request.scope:
            raise BadRequest("Upgrade request required")
        parts = [
            kubelet_path,
            pod["metadata"]["namespace"],
            pod["metadata"]["name"],
            *([container] if container else []),
        ]
        chosen = [(name, value) for name in options for value in request.queries(name)]
        return await backend.upgrade(
            request, target, "/" + "/".join(parts) + (f"?{urlencode(chosen)}" if chosen else "")
        )

    return handle


async def _check_create(request: Request) -> None:
    """Who upgrades with a GET must also have the right to create: reading rights do not run commands."""
    if request.info.verb != "get" or request.user.is_master:
        return
    want = replace(attributes(request), verb="create")
    decision = await request.state.authorizers.decide(request.user, want, request.info.version)
    if not decision.allowed:
        if request.event is not None:
            request.event.decided(False, decision.reason)
        raise forbidden(request.user, want, decision.reason)


_STREAMS = ("stdin", "stdout", "stderr", "tty")

execute = handler("exec", ("command", *_STREAMS))
attach = handler("attach", _STREAMS)
port_forward = handler("portForward", ("ports", "port"), with_container=False)
