"""HTTP/1.1 as the log store serves it: kept connections, bodies of a stated length, answers whole or in pieces.

On asyncio alone: the process must stay within 30 MiB.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

log = logging.getLogger("logs.web")

MAX_HEAD = 32_768
MAX_CONNECTIONS = 256
IDLE = 120.0  # seconds that a connection may be silent between requests
PATIENCE = 30.0  # seconds for a body to come, and for a piece of an answer to be taken
TEXT, JSON, NDJSON, METRICS = (
    "text/plain; charset=utf-8",
    "application/json",
    "application/x-ndjson",
    "text/plain; version=0.0.4; charset=utf-8",
)
REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is sent whole, or piece by piece as it comes."""

    status: int
    kind: str
    body: bytes | AsyncIterator[bytes]
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, why: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(why)
        self.status, self.headers = status, dict(headers or {})


class Ended(Exception):
    """The other side closed a connection between two requests."""


Page = Callable[[Request], Awaitable[Answer]]


class Web:
    """`pages`: what answers, by (method, path). `check` is asked before a body is read; `max_body` in bytes."""

    def __init__(
        self, pages: Mapping[tuple[str, str], Page], check: Callable[[Request], Awaitable[None]], max_body: int
    ) -> None:
        self._pages, self._check, self._max_body = pages, check, max_body
        self._open: set[asyncio.StreamWriter] = set()

    async def listen(self, address: str, port: int) -> asyncio.AbstractServer:
        """Raises OSError when it can not."""
        return await asyncio.start_server(self._serve, address, port, limit=MAX_HEAD, reuse_address=True)

    def close(self) -> None:
        for writer in list(self._open):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= MAX_CONNECTIONS:
            writer.close()
            return
        self._open.add(writer)
        try:
            while await self._turn(reader, writer):
                pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError, Ended) as failure:
            log.debug("a connection ended: %s", failure or type(failure).__name__)
        except Exception:
            log.exception("an answer failed when it had begun")
        finally:
            self._open.discard(writer)
            writer.close()

    async def _turn(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection may be used again."""
        whole = True
        try:
            request = await _head(reader)
            whole = int(request.headers.get("content-length", 0)) == 0
            page = self._page(request)
            await self._check(request)
            request = await self._with_body(reader, request)
            whole = True
            answer = await page(request)
        except Refusal as refusal:
            answer = problem(refusal)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, Ended):
            raise
        except Exception:
            log.exception("a request failed")
            answer = problem(Refusal(500, "this failed; the log of the log store says more"))
        await _send(writer, answer, whole)
        return whole

    def _page(self, request: Request) -> Page:
        page = self._pages.get((request.method, request.path))
        if page is None:
            methods = [method for method, path in self._pages if path == request.path]
            if methods:
                raise Refusal(405, f"use {' or '.join(methods)}")
            raise Refusal(404, f"there are {', '.join(sorted({path for _, path in self._pages}))}")
        return page

    async def _with_body(self, reader: asyncio.StreamReader, request: Request) -> Request:
        if "transfer-encoding" in request.headers:
            raise Refusal(411, "send a Content-Length")
        length = int(request.headers.get("content-length", 0))
        if length > self._max_body:
            raise Refusal(413, f"the body has {length} bytes: send at most {self._max_body} at once")
        async with asyncio.timeout(PATIENCE):
            body = await reader.readexactly(length)
        return Request(request.method, request.path, request.query, request.headers, body)


async def _head(reader: asyncio.StreamReader) -> Request:
    try:
        async with asyncio.timeout(IDLE):
            head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise Refusal(431, f"more than {MAX_HEAD} bytes of headers", {"Connection": "close"}) from None
    except asyncio.IncompleteReadError:
        raise Ended from None
    line, *rest = head.decode("latin-1").split("\r\n")
    words = line.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise Refusal(400, "this is no HTTP request", {"Connection": "close"})
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (entry.partition(":") for entry in rest if entry)
    }
    if not headers.get("content-length", "0").isdecimal():
        raise Refusal(400, "Content-Length is no number", {"Connection": "close"})
    parts = urlsplit(words[1])
    return Request(words[0], parts.path, dict(parse_qsl(parts.query)), headers)


def problem(refusal: Refusal) -> Answer:
    """`{"error": "…"}`."""
    import orjson

    extra = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
    return Answer(refusal.status, JSON, orjson.dumps({"error": str(refusal)}), {**extra, **refusal.headers})


async def _send(writer: asyncio.StreamWriter, answer: Answer, keep: bool) -> None:
    headers = {
        "Content-Type": answer.kind,
        "Cache-Control": "no-store",
        "Connection": "keep-alive" if keep else "close",
        **answer.headers,
    }
    if isinstance(answer.body, bytes):
        headers["Content-Length"] = str(len(answer.body))
        writer.write(_encoded(answer.status, headers))
        for at in range(0, len(answer.body), 262_144):
            await _write(writer, answer.body[at : at + 262_144])
        return
    writer.write(_encoded(answer.status, {**headers, "Transfer-Encoding": "chunked"}))
    async for piece in answer.body:
        if piece:
            await _write(writer, f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    await _write(writer, b"0\r\n\r\n")


def _encoded(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {REASONS[status]}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


async def _write(writer: asyncio.StreamWriter, piece: bytes) -> None:
    writer.write(piece)
    async with asyncio.timeout(PATIENCE):
        await writer.drain()
