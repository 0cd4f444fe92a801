"""/metrics/cadvisor, /metrics/resource, /metrics/node and /stats/summary: the newest sample."""

from __future__ import annotations

import orjson
from aiohttp import web

from kubelet.node import VERSION
from kubelet.server.containers import agent
from kubelet.stats import cadvisor as cadvisor_page
from kubelet.stats import nodepage
from kubelet.stats import resources as resource_page
from kubelet.stats import summary as summary_page
from web.http1 import METRICS as CONTENT_TYPE


async def cadvisor(request: web.Request) -> web.Response:
    found = agent(request)
    text = cadvisor_page.render(await found.sampler.latest(), VERSION, found.machine.kernel, found.machine.os_image)
    return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})


async def resource(request: web.Request) -> web.Response:
    text = resource_page.render(await agent(request).sampler.latest())
    return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})


async def node(request: web.Request) -> web.Response:
    text = nodepage.render(agent(request).options.root_dir)
    return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})


async def summary(request: web.Request) -> web.Response:
    """`?only_cpu_and_memory=true` leaves out the rest."""
    brief = request.query.get("only_cpu_and_memory") == "true"
    made = summary_page.render(await agent(request).sampler.latest(), brief=brief)
    return web.Response(body=orjson.dumps(made), content_type="application/json")
