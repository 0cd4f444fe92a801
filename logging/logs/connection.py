"""HTTP/1.1 for one server, on asyncio alone.

The shipper runs on every node within 20 MiB; aiohttp alone holds 12 of them. This is the part of HTTP that the API server,
Elasticsearch and the embedded store speak: keep-alive, Content-Length and chunked bodies, TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

MAX_BODY = 64 * 1024 * 1024
MAX_LINE = 64 * 1024


class ProtocolError(OSError):
    """What came is no HTTP, or more than we take."""


@dataclass(slots=True)
class Answer:
    """Status, headers (names in lower case) and body."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


class _Stream:
    """One connection: what was read of it and not yet used is in the reader."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def head(self) -> Answer:
        line = (await self.reader.readline()).decode("latin-1")
        words = line.split(None, 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            raise ProtocolError("the server closed the connection" if not line else f"no HTTP answer: {line[:60]!r}")
        headers: dict[str, str] = {}
        while line := (await self.reader.readline()).decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
            if len(headers) > 200:
                raise ProtocolError("more than 200 headers")
        return Answer(int(words[1]), headers)

    async def pieces(self, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The body as it comes."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while size := await self._chunk_size():
                yield await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            while (await self.reader.readline()).strip():
                pass  # trailers
        elif "content-length" in headers:
            if length := int(headers["content-length"]):
                yield await self.reader.readexactly(_bounded(length))
        else:
            while piece := await self.reader.read(MAX_LINE):
                yield piece

    async def _chunk_size(self) -> int:
        line = await self.reader.readline()
        try:
            return _bounded(int(line.split(b";")[0], 16))
        except ValueError:
            raise ProtocolError(f"no size of a chunk: {line[:40]!r}") from None

    def close(self) -> None:
        self.writer.close()


def _bounded(length: int) -> int:
    if length > MAX_BODY:
        raise ProtocolError(f"a body of {length} bytes; at most {MAX_BODY} are read")
    return length


class Server:
    """Requests to one server over at most `connections` connections; the surplus waits.

    Raises OSError (ProtocolError, ConnectionError, …), TimeoutError or asyncio.IncompleteReadError when there is no answer.
    `headers` is called for each request, so that tokens may change.
    """

    def __init__(
        self,
        url: str,
        headers: Callable[[], Mapping[str, str]] = dict,
        context: ssl.SSLContext | None = None,
        connections: int = 8,
        timeout: float = 60.0,
        server_name: str | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a server: http://host:port or https://host:port")
        tls = parts.scheme == "https"
        self.host, self.port = parts.hostname, parts.port or (443 if tls else 80)
        self.prefix = parts.path.rstrip("/")
        self._credentials = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        self._context = (context or ssl.create_default_context()) if tls else None
        self._server_name = (server_name or self.host) if tls else None
        self._headers, self._timeout = headers, timeout
        self._free: list[_Stream] = []
        self._limit = asyncio.Semaphore(connections)

    async def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """The whole answer. A kept connection that the server has closed meanwhile is replaced by a new one."""
        async with self._limit, asyncio.timeout(timeout or self._timeout):
            kept = bool(self._free)
            try:
                return await self._once(method, path, body, headers)
            except (ConnectionError, ProtocolError, asyncio.IncompleteReadError):
                if not kept:
                    raise
                self.close()
                return await self._once(method, path, body, headers)

    async def _once(self, method: str, path: str, body: bytes, headers: Mapping[str, str] | None) -> Answer:
        stream = self._free.pop() if self._free else await self._connect()
        try:
            answer = await self._send(stream, method, path, body, headers)
            answer.body = b"".join([piece async for piece in stream.pieces(answer.headers)])
        except BaseException:
            stream.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            stream.close()
        else:
            self._free.append(stream)
        return answer

    async def _connect(self) -> _Stream:
        return _Stream(
            *await asyncio.open_connection(
                self.host, self.port, ssl=self._context, limit=MAX_LINE, server_hostname=self._server_name
            )
        )

    async def _send(
        self, stream: _Stream, method: str, path: str, body: bytes, headers: Mapping[str, str] | None
    ) -> Answer:
        lines = [
            f"{method} {self.prefix}{path} HTTP/1.1",
            f"Host: {self.host}:{self.port}",
            f"Content-Length: {len(body)}",
        ]
        lines += [f"{name}: {value}" for name, value in {**self._own(), **self._headers(), **(headers or {})}.items()]
        stream.writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
        if body:
            stream.writer.write(body)
        await stream.writer.drain()
        return await stream.head()

    def _own(self) -> dict[str, str]:
        if self._credentials is None:
            return {}
        import base64

        return {"Authorization": "Basic " + base64.b64encode(":".join(self._credentials).encode()).decode()}

    @contextlib.asynccontextmanager
    async def open(
        self,
        path: str,
        timeout: float | None,
        method: str = "GET",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """A request whose answer comes piece by piece, on a connection of its own; `timeout` is for all of it."""
        async with asyncio.timeout(timeout):
            stream = await self._connect()
            try:
                answer = await self._send(stream, method, path, body, headers)
                yield answer, stream.pieces(answer.headers)
            finally:
                stream.close()

    def close(self) -> None:
        """Closes what is kept open."""
        while self._free:
            self._free.pop().close()
