"""/metrics, /health and /ready over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

MAX_REQUEST = 8192
PATIENCE = 5.0  # seconds for a request to come
METRICS = "text/plain; version=0.0.4; charset=utf-8"

Page = Callable[[], tuple[int, str, bytes]]  # -> status, content type, body
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


class Web:
    """Answers one GET a connection: those who ask are probes and scrapers, seldom and few."""

    def __init__(self, pages: dict[str, Page]) -> None:
        self._pages = pages

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
            status, kind, body = self._answer(head)
            writer.write(
                f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                "Connection: close\r\n\r\n".encode()
                + (b"" if head.startswith(b"HEAD ") else body)
            )
            async with asyncio.timeout(PATIENCE):
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return  # whoever asked so got no answer
        finally:
            writer.close()

    def _answer(self, head: bytes) -> tuple[int, str, bytes]:
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3:
            return 400, "text/plain", b"not a request\n"
        if words[0] not in ("GET", "HEAD"):
            return 405, "text/plain", b"only GET\n"
        page = self._pages.get(words[1].partition("?")[0])
        return page() if page else (404, "text/plain", b"there are /metrics, /health and /ready\n")


async def listen(web: Web, address: str, port: int) -> asyncio.AbstractServer:
    return await asyncio.start_server(web.serve, address, port, limit=MAX_REQUEST)
