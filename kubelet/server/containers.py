"""Finding the container that a request names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from kube.objects import Json
from kube.pods import podutil
from kubelet.runtimes.base import ContainerState

if TYPE_CHECKING:
    from kube.shapes import Container
    from kubelet.agent import Agent

AGENT: web.AppKey[Any] = web.AppKey("agent")


def agent(request: web.Request) -> Agent:
    found: Agent = request.app[AGENT]
    return found


def pod(request: web.Request) -> Json:
    """The pod of the request's path, or 404."""
    info = request.match_info
    found = agent(request).pods.items.get((info["namespace"], info["pod"]))
    if found is None:
        raise web.HTTPNotFound(text=f"pod {info['namespace']}/{info['pod']} is not on this node\n")
    return found


def container(request: web.Request) -> tuple[Json, Container]:
    """(pod, container) of the request's path, or 404."""
    found, name = pod(request), request.match_info["container"]
    wanted = podutil.container(found, name)
    if wanted is None:
        raise web.HTTPNotFound(text=f"container {name} is not in pod {podutil.full_name(found)}\n")
    return found, wanted


def running(request: web.Request) -> tuple[Json, Container]:
    """(pod, container) of a container that runs now, or 400."""
    found, wanted = container(request)
    latest = start(request, found, wanted["name"], previous=False)
    if latest is None or not latest.running:
        raise web.HTTPBadRequest(text=f"container {wanted['name']} is not running\n")
    return found, wanted


def start(request: web.Request, found: Json, name: str, previous: bool) -> ContainerState | None:
    """The container's newest start, or the one before."""
    state = agent(request).runtime.state(podutil.uid(found))
    latest = state.latest(name) if state else None
    return state.before(latest) if previous and state and latest else None if previous else latest


def flag(request: web.Request, name: str) -> bool:
    return request.query.get(name, "").lower() in ("1", "true")
