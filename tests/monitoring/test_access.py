"""Who may see which page of the addon."""

from __future__ import annotations

import asyncio

from client.access import Access
from client.kubeconfig import Config
from monitoring.program import Program
from web.client import HttpSession
from web.server import Server, routes

OPEN = {"/healthz", "/readyz", "/metrics"}  # they name no object of a cluster


def test_every_page_but_health_and_own_metrics_asks_who_one_is() -> None:
    program = Program.__new__(Program)  # its pages, without what they show
    program.access = Access(Config("http://127.0.0.1:9"))
    pages = program.pages()
    guarded = [path for _, path in pages if path not in OPEN]
    assert len(guarded) == len(pages) - len(OPEN) and "/api/v1/range" in guarded

    async def run() -> None:
        server = Server(routes(pages))
        session = HttpSession(f"http://127.0.0.1:{await server.listen('127.0.0.1', 0)}")
        for path in guarded:
            assert (await session.request("GET", path)).status == 401, path
        session.close()
        await server.close()

    asyncio.run(run())
