"""The pages over HTTP: one GET a connection. Those who ask are dashboards, probes and scrapers, few and at intervals."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import orjson

log = logging.getLogger("monitoring")

MAX_HEAD = 32_768
PATIENCE = 10.0  # seconds for a request to come, and for a piece of the answer to be taken
MOST = 64  # requests at once
TEXT, METRICS, JSON = "text/plain; charset=utf-8", "text/plain; version=0.0.4; charset=utf-8", "application/json"
REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Request:
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    head: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    kind: str
    body: bytes


Page = Callable[[Request], Awaitable[Answer]]


def text(status: int, words: str) -> Answer:
    return Answer(status, TEXT, f"{words}\n".encode())


def error(status: int, words: str, parameter: str = "") -> Answer:
    """An error of the API: `{"error": {"code", "message", "parameter"}}`."""
    return Answer(status, JSON, orjson.dumps({"error": {"code": status, "message": words, "parameter": parameter}}))


class Server:
    """`pages`: what answers, by path."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self._pages = pages
        self._gate = asyncio.Semaphore(MOST)

    async def listen(self, address: str, port: int) -> asyncio.AbstractServer:
        """Raises OSError when it can not."""
        return await asyncio.start_server(self._serve, address, port, limit=MAX_HEAD, reuse_address=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with self._gate:
                async with asyncio.timeout(PATIENCE):
                    head = await reader.readuntil(b"\r\n\r\n")
                answer = await self._answer(head)
                writer.write(_head(answer))
                if not head.startswith(b"HEAD "):
                    for at in range(0, len(answer.body), 262_144):
                        writer.write(answer.body[at : at + 262_144])
                        async with asyncio.timeout(PATIENCE):
                            await writer.drain()
        except asyncio.LimitOverrunError:
            writer.write(_head(Answer(431, TEXT, b"")))
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as failure:
            log.debug("a request got no answer: %s", failure or type(failure).__name__)
        finally:
            writer.close()

    async def _answer(self, head: bytes) -> Answer:
        try:
            request = parse(head)
        except ValueError as failure:
            return text(405 if "method" in str(failure) else 400, str(failure))
        page = self._pages.get(request.path)
        if page is None:
            return text(404, f"there are {', '.join(self._pages)}")
        try:
            return await page(request)
        except Exception:
            log.exception("%s failed", request.path)
            return text(500, "this failed; the log of this process says more")


def parse(head: bytes) -> Request:
    """A request's line and headers. Raises ValueError."""
    line, *rest = head.decode("latin-1").split("\r\n")
    words = line.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise ValueError("this is no HTTP request")
    if words[0] not in ("GET", "HEAD"):
        raise ValueError(f"the method {words[0][:20]!r} is not served: use GET")
    parts = urlsplit(words[1])
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest if line)}
    return Request(parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers)


def _head(answer: Answer) -> bytes:
    extra = "WWW-Authenticate: Bearer\r\n" if answer.status == 401 else ""
    return (
        f"HTTP/1.1 {answer.status} {REASONS[answer.status]}\r\nContent-Type: {answer.kind}\r\n{extra}"
        f"Content-Length: {len(answer.body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    ).encode()
