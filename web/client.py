"""Requests on asyncio: one connection, kept connections to many servers, and all that one server is asked."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Set
from contextlib import asynccontextmanager
from typing import cast

from web.address import Address, Place
from web.http1 import IDEMPOTENT, ProtocolError, Response, ResponseReader, host_header, request_head

FAILURES: tuple[type[Exception], ...] = (OSError,)
"""What is raised where there is no answer: ProtocolError, ConnectionError, ssl.SSLError and TimeoutError are such."""
CONNECT = 10.0  # seconds for a connection with its handshake
AHEAD = 256 * 1024  # bytes of a stream that are read before somebody takes them
Headers = Callable[[], Mapping[str, str]]


class Connection(asyncio.Protocol):
    """One request at a time. `closed` says that it cannot be used again. `limit`: bytes of an answer's body."""

    def __init__(self, limit: int) -> None:
        self.closed = False
        self.reader = ResponseReader(limit)
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Response] | None = None  # of who wants all of it
        self._some: asyncio.Future[None] | None = None  # of who wants what there is
        self._error: Exception | None = None
        self._streaming = False

    @classmethod
    async def open(cls, place: Place, limit: int = 16 << 20) -> Connection:
        """Connect. Raises OSError."""
        name = place.server_name or place.host if place.tls else None
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT):
            _, made = await loop.create_connection(
                lambda: cls(limit), place.host, place.port, ssl=place.tls, server_hostname=name
            )
        return made

    def ask(self, request: bytes, method: str = "GET") -> asyncio.Future[Response]:
        """Send a request with all its bytes; the whole answer. Raises one of FAILURES."""
        self._waiting = waiting = asyncio.get_running_loop().create_future()
        self._send(request, method, whole=True)
        return waiting

    async def start(self, request: bytes, method: str) -> Response:
        """Send a request; its answer without the body, which `pieces` gives. Raises one of FAILURES."""
        self._send(request, method, whole=False)
        while self.reader.response is None:
            await self._more()
        return self.reader.response

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises one of FAILURES, also where it is cut."""
        while True:
            if self.reader.pieces:
                piece = self.reader.take()
                if self._transport is not None and not self.closed:
                    self._transport.resume_reading()
                yield piece
            elif self.reader.complete:
                return
            else:
                await self._more()

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.close()

    def _send(self, request: bytes, method: str, whole: bool) -> None:
        assert self._transport is not None
        self._streaming = not whole
        self.reader.begin(method, whole)
        if self.closed:
            self._fail(ConnectionResetError("the connection is closed"))
        else:
            self._transport.write(request)

    async def _more(self) -> None:
        if self._error is not None:
            raise self._error
        self._some = asyncio.get_running_loop().create_future()
        try:
            await self._some
        finally:
            self._some = None

    # -- called by the loop ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # what loops written in C make says so only by its methods

    def data_received(self, data: bytes) -> None:
        if self.closed and not self._streaming:
            return
        try:
            self.reader.feed(data)
        except ProtocolError as error:
            self._fail(error)
            self.close()
            return
        if self.reader.complete:
            self._completed()
        elif self._streaming and self.reader.size > AHEAD and self._transport is not None:
            self._transport.pause_reading()
        if self._some is not None and not self._some.done():
            self._some.set_result(None)

    def _completed(self) -> None:
        if not self.reader.keep:
            self.close()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(self.reader.whole())

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        try:
            if not self.reader.complete:
                self.reader.end()
                self._completed()
            if self._some is not None and not self._some.done():
                self._some.set_result(None)
        except OSError as cut:
            self._fail(error if isinstance(error, OSError) else cut)

    def _fail(self, error: Exception) -> None:
        self.closed, self._error = True, error
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)
        if self._some is not None and not self._some.done():
            self._some.set_exception(error)


class Pool:
    """Connections to many servers, kept from one request to the next: a TLS handshake costs more than a small page.

    A server has as many as there are requests to it at once. Use it in one loop. `limit`: bytes of an answer; `kept`: idle
    connections in all, each of which holds 64 KiB, and more where answers are long.
    """

    def __init__(self, limit: int = 16 << 20, kept: int = 1000) -> None:
        self._limit, self._kept = limit, kept
        self._idle: defaultdict[Place, list[Connection]] = defaultdict(list)
        self._count = 0

    async def get(self, place: Place, path: str, headers: Mapping[str, str] | None = None) -> Response:
        """A page. Raises one of FAILURES."""
        head = request_head("GET", path, {"Host": host_header(place.host, place.port), **(headers or {})})
        return await self.ask(place, head, "GET", True)

    async def ask(self, place: Place, request: bytes, method: str, again: bool) -> Response:
        """The answer to a request with all its bytes; `again`: it may be repeated. Raises one of FAILURES."""
        while (connection := self.take(place)) is not None:
            try:
                return await self._ask(place, connection, request, method)
            except ConnectionError:
                if not again or connection.reader.begun:
                    raise
                # It was closed while nobody used it.
        return await self._ask(place, await Connection.open(place, self._limit), request, method)

    async def _ask(self, place: Place, connection: Connection, request: bytes, method: str) -> Response:
        answered = False
        try:
            response = await connection.ask(request, method)
            answered = True
            return response
        finally:
            self.give(place, connection, answered)

    def take(self, place: Place) -> Connection | None:
        """A kept connection that is open still."""
        idle = self._idle.get(place)
        while idle:
            self._count -= 1
            connection = idle.pop()
            if not connection.closed:
                return connection
        return None

    async def open(self, place: Place) -> Connection:
        return self.take(place) or await Connection.open(place, self._limit)

    def give(self, place: Place, connection: Connection, whole: bool) -> None:
        """Keep it, or close it: also when a request was called off, whose answer would be taken for the next one's."""
        if whole and not connection.closed and self._count < self._kept:
            self._idle[place].append(connection)
            self._count += 1
        else:
            connection.close()

    def only(self, places: Set[Place]) -> None:
        """Let go of the idle connections to all others."""
        for gone in self._idle.keys() - places:
            for connection in self._idle.pop(gone):
                connection.close()
                self._count -= 1

    def close(self) -> None:
        self.only(set())


class HttpSession:
    """Requests to one server over at most `connections` connections; the surplus waits, streams do not count.

    Raises OSError (ProtocolError, ConnectionError, TimeoutError, …) when there is no answer. `headers` is called for each
    request, so that tokens may change. `timeout`: seconds for a whole answer; `limit`: bytes of it. `again`: also a POST or
    PATCH may be sent once more, where a kept connection had been closed by then.
    """

    def __init__(
        self,
        url: str,
        headers: Headers = dict,
        tls: ssl.SSLContext | None = None,
        connections: int = 8,
        timeout: float = 60.0,
        server_name: str | None = None,
        limit: int = 64 << 20,
        again: bool = False,
    ) -> None:
        self.address = Address(url, tls, server_name)
        self._headers, self._timeout, self._again = headers, timeout, again
        self._pool = Pool(limit, connections)
        self._gate = asyncio.Semaphore(connections)

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Response:
        """The whole answer."""
        request = self.address.request(method, path, body, self._headers(), headers)
        async with self._gate, asyncio.timeout(timeout or self._timeout):
            return await self._pool.ask(self.address.place, request, method, self._again or method in IDEMPOTENT)

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        timeout: float | None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[tuple[Response, AsyncIterator[bytes]]]:
        """A request whose answer comes piece by piece; `timeout` is for all of it."""
        request = self.address.request(method, path, body, self._headers(), headers)
        place = self.address.place
        async with asyncio.timeout(timeout):
            connection = await Connection.open(place)
            try:
                yield await connection.start(request, method), connection.pieces()
            finally:
                self._pool.give(place, connection, connection.reader.complete and not connection.reader.pieces)

    def close(self) -> None:
        """Closes what is kept open."""
        self._pool.close()
