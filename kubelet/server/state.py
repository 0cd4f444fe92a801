"""/healthz and /pods."""

from __future__ import annotations

import orjson
from aiohttp import web

from kubelet.server.containers import agent


async def healthz(request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def pods(request: web.Request) -> web.Response:
    """The pods of this node as a PodList."""
    items = list(agent(request).pods.items.values())
    body = orjson.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})
    return web.Response(body=body, content_type="application/json")
