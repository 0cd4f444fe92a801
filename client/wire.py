"""A keep-alive connection for who sends many small requests: a general client spends more on each than their server."""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

import httptools

Answer = tuple[int, bytes]  # status, body
FAILURES: tuple[type[Exception], ...] = (OSError, TimeoutError, httptools.HttpParserError)


class Connection(asyncio.Protocol):
    """One request at a time, each answered as a whole; fed by the loop, parsed by llhttp.

    `closed` says that it cannot be used again. An answer of more than `limit` bytes is an OSError.
    """

    def __init__(self, limit: int) -> None:
        self.closed = False
        self._limit = limit
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._size = 0

    @classmethod
    async def open(
        cls, host: str, port: int, tls: ssl.SSLContext | None, server_name: str | None = None, limit: int = 16 << 20
    ) -> Connection:
        """Connect. `server_name`: whose certificate is expected, if not the host's. Raises OSError."""
        name = server_name or host if tls else None
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(lambda: cls(limit), host, port, ssl=tls, server_hostname=name)
        return made

    def ask(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request with all its bytes; the answer. Raises one of FAILURES."""
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        if self.closed:
            self._waiting.set_exception(ConnectionResetError("the connection is closed"))
        else:
            self._transport.write(request)
        return self._waiting

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.close()

    # -- called by the loop and by the parser ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # what loops written in C make says so only by its methods

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)
            self.close()

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > self._limit:
            self._fail(OSError(f"its answer is longer than {self._limit} bytes"))
            self.close()
        elif not self.closed:
            self._body.append(body)

    def on_message_complete(self) -> None:
        body, self._body, self._size = b"".join(self._body), [], 0
        if not self._parser.should_keep_alive():
            self.close()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result((self._parser.get_status_code(), body))

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(error or ConnectionResetError("the server closed the connection"))

    def _fail(self, error: Exception) -> None:
        self.closed = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)
