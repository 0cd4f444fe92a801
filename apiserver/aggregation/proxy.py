"""Passing a request on to the API server that answers for its group and version."""

from __future__ import annotations

from apiserver import backend
from apiserver.aggregation import target
from apiserver.remotes import Remote
from apiserver.request import Request
from apiserver.response import Answer, Response


def remote_of(request: Request) -> Remote | None:
    """The server that a request is for, None for this one."""
    remotes, info = request.state.remotes, request.info
    if info.is_resource:
        return remotes.of(info.group, info.version)
    parts = info.path.strip("/").split("/")
    if parts[:2] == ["openapi", "v3"]:
        parts = parts[2:]
    return remotes.of(parts[1], parts[2]) if len(parts) == 3 and parts[0] == "apis" else None


async def handle(request: Request, remote: Remote) -> Answer:
    """Pass on what was authenticated and allowed here; the server decides for itself once more. Raises ServiceUnavailable."""
    if not remote.available:
        return Response(b"service unavailable\n", 503, "text/plain; charset=utf-8")
    to = target.of(remote, request.state.cache, request.state.pki)
    query = request.scope["query_string"].decode("latin-1")
    path = request.raw_path + (f"?{query}" if query else "")
    # Nobody but this server says who somebody is.
    request.scope["headers"] = [header for header in request.scope["headers"] if not header[0].startswith(b"x-remote-")]
    extra = target.identity(request.user)
    if "tunnel" in request.scope:
        return await backend.upgrade(request, to, path, extra)
    return await backend.forward(request, to, path, extra)
