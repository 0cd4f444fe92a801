"""Answers, and how they are sent over ASGI."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from apiserver import negotiation
from kube.errors import ApiError

if TYPE_CHECKING:
    from apiserver.protocol import Buffer, Direct

Send = Callable[[dict[str, Any]], Awaitable[None]]

NO_CACHE = (b"cache-control", b"no-cache, private")
GZIP_FROM = 128 * 1024  # bytes; below, compressing costs more than it saves


class Response:
    """A whole answer, its body in one or many pieces. `warnings` become Warning headers."""

    __slots__ = ("content_type", "headers", "pieces", "status", "warnings")

    def __init__(
        self,
        body: bytes | Sequence[Buffer] = b"",
        status: int = 200,
        content_type: str = negotiation.JSON,
        headers: list[tuple[bytes, bytes]] | None = None,
        warnings: list[str] | None = None,
    ) -> None:
        self.pieces: Sequence[Buffer] = [body] if isinstance(body, bytes) else body
        self.status, self.content_type = status, content_type
        self.headers, self.warnings = headers or [], warnings or []

    @property
    def body(self) -> bytes:
        """The body in one piece."""
        return b"".join(self.pieces)

    @body.setter
    def body(self, body: bytes) -> None:
        self.pieces = [body]

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return sum(map(len, self.pieces))

    async def indent(self) -> None:
        """Indent a body of JSON. One with an ETag keeps the bytes that it stands for."""
        if self.content_type == negotiation.JSON and not any(name == b"etag" for name, _ in self.headers):
            self.body = await asyncio.to_thread(indented, self.body)

    async def send(self, send: Send, accept_encoding: str = "", direct: Direct | None = None) -> None:
        pieces = self.pieces
        headers = [
            (b"content-type", self.content_type.encode()),
            *self.headers,
            *map(warning_header, self.warnings),
        ]
        told = {name for name, _ in self.headers}
        if b"cache-control" not in told:
            headers.append(NO_CACHE)
        if "gzip" in accept_encoding and b"content-encoding" not in told and self.size >= GZIP_FROM:
            pieces = await asyncio.to_thread(gzip, pieces)
            headers += [(b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")]
        if direct is not None:
            await direct.whole(self.status, headers, pieces)
            return
        body = b"".join(pieces)
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Stream:
    """An answer of unknown length: chunks are sent as they come.

    `release` gives back what the chunks come from. It is called once, also where none is asked for: to a HEAD.
    `patient`: its reader may stop to read for a while.
    """

    __slots__ = ("chunks", "content_type", "headers", "patient", "release", "status", "warnings")

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        content_type: str,
        status: int = 200,
        headers: list[tuple[bytes, bytes]] | None = None,
        *,
        release: Callable[[], object],
        patient: bool = False,
    ) -> None:
        self.chunks, self.content_type, self.status, self.headers = chunks, content_type, status, headers or []
        self.release, self.patient = release, patient
        self.warnings: list[str] = []

    async def send(self, send: Send, accept_encoding: str = "", direct: Direct | None = None) -> None:
        headers = [(b"content-type", self.content_type.encode()), NO_CACHE, *self.headers]
        try:
            if direct is not None:
                await direct.stream(self.status, headers, self.chunks, self.patient)
                return
            await send({"type": "http.response.start", "status": self.status, "headers": headers})
            async for chunk in self.chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            close = getattr(self.chunks, "aclose", None)
            if close is not None:
                await close()
            self.release()


class Taken:
    """The handler took the connection over (an upgrade): nothing is left to send."""

    __slots__ = ("status", "warnings")

    def __init__(self, status: int = 101) -> None:
        self.status = status
        self.warnings: list[str] = []

    async def send(self, send: Send, accept_encoding: str = "", direct: Direct | None = None) -> None:
        return None


Answer = Response | Stream | Taken


def gzip(pieces: Iterable[Buffer]) -> list[bytes]:
    """The pieces compressed, quickly rather than tightly."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return [*(packed for piece in pieces if (packed := packer.compress(piece))), packer.flush()]


def indented(body: bytes) -> bytes:
    return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2) + b"\n"


def warning_header(text: str) -> tuple[bytes, bytes]:
    quoted = "".join(c if c.isprintable() else " " for c in text).replace("\\", "\\\\").replace('"', '\\"')
    return b"warning", f'299 - "{quoted}"'.encode()


def json_response(value: Any, status: int = 200, warnings: list[str] | None = None) -> Response:
    return Response(orjson.dumps(value) + b"\n", status, warnings=warnings)


def text(body: str, status: int = 200) -> Response:
    return Response(body.encode(), status, "text/plain; charset=utf-8", [(b"x-content-type-options", b"nosniff")])


def page_not_found() -> Response:
    """What unknown paths outside the API get."""
    return text("404 page not found\n", 404)


def of_error(error: ApiError) -> Response:
    """The Status of an error, with Retry-After where it says when to come back."""
    headers = []
    seconds = (error.details or {}).get("retryAfterSeconds")
    if seconds:
        headers.append((b"retry-after", str(seconds).encode()))
    if error.code == 401:
        headers.append((b"www-authenticate", b'Bearer realm="binnacle"'))
    response = json_response(error.status(), error.code)
    response.headers = headers
    return response
