"""aiohttp's server within limits: for the kubelet, whose streams are WebSockets and SPDY."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from web.door import NEVER, Deadlines, Door, bound
from web.http1 import Refusal
from web.limits import Limits
from web.server import busy, plain, whole

log = logging.getLogger("web.aio")


class FaultsOfOurs(logging.Filter):
    """Lets through what this program did wrong. What a client sent, or that it left, is no reason for a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, (HttpProcessingError, ConnectionError)):
            return True
        log.debug("%s: %.200s", record.getMessage(), error)
        return False


def quiet() -> logging.Logger:
    """aiohttp's log, with only what is this program's fault."""
    found = logging.getLogger("aiohttp.server")
    if not any(isinstance(one, FaultsOfOurs) for one in found.filters):
        found.addFilter(FaultsOfOurs())
    logging.getLogger("aiohttp.websocket").setLevel(logging.ERROR)  # it warns of protocols that clients offer
    return found


class Handler(RequestHandler):
    """One connection. aiohttp waits for a head as long as it waits for nothing, and counts its headers, not their bytes."""

    __slots__ = ("_deadlines", "_deaf", "_fed", "_limits", "deadline")

    def __init__(self, manager: web.Server, limits: Limits, deadlines: Deadlines, **options: Any) -> None:
        super().__init__(
            manager,
            max_line_size=limits.header_bytes,  # of one line; all are bounded here
            max_field_size=limits.header_bytes,
            max_headers=limits.header_count,
            keepalive_timeout=limits.idle_seconds,
            lingering_time=limits.linger_seconds,
            **options,
        )
        self._limits, self._deadlines = limits, deadlines
        self._fed = 0  # bytes of a head that is not whole
        self._deaf = False
        self.deadline = NEVER

    def _soon(self, seconds: float) -> None:
        self.deadline = self._loop.time() + seconds

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._deadlines.join(self)
        self._soon(self._limits.header_seconds)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._deadlines.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._fed += len(data)
            if self._fed > self._limits.linger_bytes and self.transport is not None:
                self.transport.abort()
            return
        if self._request_in_progress or self._messages or self._upgraded:
            super().data_received(data)
            return
        if not self._fed:
            self._soon(self._limits.header_seconds)
        end = data.find(b"\r\n\r\n")
        self._fed += len(data) if end < 0 else end
        if self._fed > self._limits.header_bytes:
            self._refuse(Refusal(431, f"more than {self._limits.header_bytes} bytes of headers"))
            return
        super().data_received(data)
        if self._messages:
            self._fed, self.deadline = 0, NEVER

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, BadHttpMessage) and "Too many headers" in exc.message:
            status = 431
        return super().handle_error(request, status, exc, message)

    def overdue(self) -> None:
        """No whole head came in time, or what was refused is said for long enough."""
        if self._fed and not self._deaf:
            self._refuse(Refusal(408, f"no whole request within {self._limits.header_seconds:g} s"))
        elif self.transport is not None:
            self.transport.abort()

    def _refuse(self, refusal: Refusal) -> None:
        """Say why, and hear no more: a client that still sends reads it only if it may go on for a while."""
        if self.transport is None:
            return
        self.transport.write(whole(plain(refusal)))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deaf = True
        self._soon(self._limits.linger_seconds)


class Site:
    """An application on listening sockets. Within its handlers, bodies and streams are aiohttp's."""

    def __init__(self, app: web.Application, limits: Limits, shutdown_timeout: float = 1.0) -> None:
        self._runner = web.AppRunner(app, logger=quiet(), shutdown_timeout=shutdown_timeout)
        self._limits, self._log = limits, quiet()
        self._deadlines = Deadlines(limits)
        self._door = Door(self._handler, limits, lambda why: whole(plain(busy(why))))

    async def start(self, addresses: Iterable[str], port: int = 0, tls: ssl.SSLContext | None = None) -> int:
        """Listen on all of the addresses at one port, a free one if it is 0; which. Raises OSError."""
        await self._runner.setup()
        for address in dict.fromkeys(addresses):
            port = await self._door.listen(bound(address, port), tls)
        return port

    async def close(self) -> None:
        self._door.close()
        await self._door.wait_closed()
        await self._runner.cleanup()

    def _handler(self) -> Handler:
        server = self._runner.server
        assert server is not None
        # Nobody sends compressed bodies here, and what is no gzip would be a traceback in the log for each.
        options: dict[str, Any] = {"auto_decompress": False, "access_log": None, "logger": self._log}
        options["loop"] = asyncio.get_running_loop()
        return Handler(server, self._limits, self._deadlines, **options)
