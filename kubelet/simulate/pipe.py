"""HTTP requests by the thousand: a few keep-alive connections, each with one request at a time, answers not decoded.

A general client spends more on a request than the API server does; a fleet of simulated nodes sends nothing but small
patches, and looks only at the status of the answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httptools

from client import Backoff, Config

log = logging.getLogger("kubelet.simulate")
RETRY_CODES = frozenset({408, 429, 500, 502, 503, 504})
MAX_TRIES = 8


@dataclass(slots=True)
class Request:
    method: str
    path: str
    body: bytes
    content_type: str
    done: Callable[[int], None] | None = None
    tries: int = 0


class Pipe:
    """`send()` queues; `run()` keeps `width` connections busy.  Requests that can not succeed are logged and dropped.

    A request is tried again (up to 8 times) after a lost connection and after answers that ask for it, so it has to
    be one that may be repeated.
    """

    def __init__(self, config: Config, width: int = 32) -> None:
        self._config, self._width = config, width
        parts = urlsplit(config.server)
        self._host, self._port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = config.ssl_context()
        self._queue: deque[Request] = deque()
        self._arrived = asyncio.Event()
        self._head = f"Host: {parts.netloc}\r\nUser-Agent: kubelet-simulate\r\nAccept: application/json\r\n"

    def __len__(self) -> int:
        return len(self._queue)

    def send(self, request: Request) -> None:
        self._queue.append(request)
        self._arrived.set()

    async def run(self) -> None:
        await asyncio.gather(*(self._serve() for _ in range(self._width)))

    async def _next(self) -> Request:
        while not self._queue:
            self._arrived.clear()
            await self._arrived.wait()
        return self._queue.popleft()

    async def _serve(self) -> None:
        backoff = Backoff(first=0.05, longest=5.0)
        connection: _Connection | None = None
        while True:
            request = await self._next()
            try:
                if connection is None or connection.closed:
                    connection = await self._connect()
                async with asyncio.timeout(60):
                    code = await connection.ask(self._encode(request))
            except (OSError, TimeoutError, httptools.HttpParserError) as error:
                if connection is not None:
                    connection.close()
                connection, code = None, 503
                log.debug("%s %s: %s", request.method, request.path, error)
            if code in RETRY_CODES:
                self._again(request, code)
                await asyncio.sleep(backoff.delay())
            else:
                backoff.reset()
                self._finish(request, code)

    def _again(self, request: Request, code: int) -> None:
        request.tries += 1
        if request.tries < MAX_TRIES:
            self._queue.append(request)
        else:
            self._finish(request, code)

    def _finish(self, request: Request, code: int) -> None:
        if code >= 400 and code not in (404, 409):
            log.warning("%s %s was answered %d", request.method, request.path, code)
        if request.done is not None:
            request.done(code)

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        name = (self._config.server_name or self._host) if self._tls else None
        _, connection = await loop.create_connection(
            _Connection, self._host, self._port, ssl=self._tls, server_hostname=name
        )
        return connection

    def _encode(self, request: Request) -> bytes:
        token = self._config.bearer()
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        head = (
            f"{request.method} {request.path} HTTP/1.1\r\n{self._head}{authorization}"
            f"Content-Type: {request.content_type}\r\nContent-Length: {len(request.body)}\r\n\r\n"
        )
        return head.encode() + request.body


class _Connection(asyncio.Protocol):
    """One request, one answer; fed by the loop, parsed by llhttp."""

    def __init__(self) -> None:
        self.closed = False
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[int] | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, data: bytes) -> asyncio.Future[int]:
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return self._waiting

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(self._parser.get_status_code())
        if not self._parser.should_keep_alive():
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(error or ConnectionResetError("the server closed the connection"))

    def _fail(self, error: Exception) -> None:
        self.closed = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.close()
