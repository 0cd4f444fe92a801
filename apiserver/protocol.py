"""The HTTP protocol of `web.asgi` with what ASGI lacks: the client's certificate, answers past its messages, and taking
over a connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from apiserver.authn.authenticator import of_certificate
from kube.errors import ApiError
from kube.users import User
from web import asgi
from web.http1 import JSON, Refusal
from web.server import Answer

if TYPE_CHECKING:
    from apiserver.fairness.accounts import Account

Header = tuple[bytes, bytes]
Buffer = bytes | memoryview

BUFFER = 256 * 1024
PIECE = 256 * 1024  # of a long answer, written at once
BODILESS = (204, 304)  # an answer with one of these ends with its head, and says no length
REASONS = {408: "Timeout", 429: "TooManyRequests", 431: "RequestHeaderFieldsTooLarge", 503: "ServiceUnavailable"}


class Tunnel:
    """The client's side of an upgraded connection: raw bytes, both ways."""

    def __init__(self, protocol: Protocol, early: bytes) -> None:
        self.protocol = protocol
        self.reader = asyncio.StreamReader(BUFFER)
        self.reader.set_transport(protocol.transport)
        if early:
            self.reader.feed_data(early)

    def take(self) -> None:
        """From here on the connection is the handler's; the server sends nothing of its own."""
        cycle = self.protocol.cycle
        self.protocol.patient = True
        cycle.response_started = cycle.response_complete = cycle.disconnected = True

    async def write(self, data: bytes) -> None:
        self.protocol.transport.write(data)
        await self.protocol.flow.drain()

    def close(self) -> None:
        self.protocol.transport.close()


class Direct:
    """Sends an answer past ASGI's messages: small ones in one write, long ones piece by piece as the client reads.

    Headers must be valid and hold the content's type; how the body's length is told is added here.
    """

    __slots__ = ("cycle", "protocol")

    def __init__(self, protocol: Protocol) -> None:
        self.cycle, self.protocol = protocol.cycle, protocol

    async def whole(self, status: int, headers: list[Header], pieces: Sequence[Buffer]) -> None:
        """Send a complete answer, given in pieces."""
        cycle = self.cycle
        length = b"" if status in BODILESS else b"content-length: %d\r\n" % sum(map(len, pieces))
        head = self._head(status, headers, length)
        body: Iterable[bytes] = chunks(pieces) if cycle.scope["method"] != "HEAD" else ()
        for chunk in body:
            if not head:
                cycle.transport.set_write_buffer_limits(BUFFER)  # a long answer flows better; streams have less
                await asyncio.sleep(0)  # others' turn: the rest of a long answer may be as long as a hundred of theirs
            await self._write(head + chunk if head else chunk)
            head = b""
        if head:
            await self._write(head)
        self._finish()

    async def stream(
        self, status: int, headers: list[Header], body: AsyncIterator[bytes], patient: bool = False
    ) -> None:
        """Send an answer of unknown length as it comes; to a HEAD, and with a status that has no body, the head alone.

        `patient`: its reader may stop to read for as long as it likes.
        """
        self.protocol.patient = patient
        self.cycle.transport.set_write_buffer_limits(asgi.BUFFER)
        bodiless = self.cycle.scope["method"] == "HEAD" or status in BODILESS
        known = status in BODILESS or any(name == b"content-length" for name, _ in headers)
        await self._write(self._head(status, headers, b"" if known else b"transfer-encoding: chunked\r\n"))
        if bodiless:
            self._finish()
            return
        async for chunk in body:
            if self.cycle.disconnected:
                return
            await self._write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        await self._write(b"0\r\n\r\n")
        self._finish()

    def _head(self, status: int, headers: list[Header], length: bytes) -> bytes:
        cycle = self.cycle
        closes = (b"connection", b"close") in headers
        cycle.keep_alive = cycle.keep_alive and not closes
        cycle.response_started = True
        lines = [STATUS_LINE[status]]
        for name, value in (*cycle.default_headers, *headers):
            lines += (name, b": ", value, b"\r\n")
        if not cycle.keep_alive and not closes:
            lines.append(b"connection: close\r\n")
        return b"".join((*lines, length, b"\r\n"))

    async def _write(self, data: bytes) -> None:
        cycle = self.cycle
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if not cycle.disconnected:
            cycle.transport.write(data)

    def _finish(self) -> None:
        cycle = self.cycle
        if cycle.disconnected:
            return
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()


def chunks(pieces: Iterable[Buffer], most: int = PIECE) -> Iterator[bytes]:
    """The pieces joined to chunks of a bounded size, so that a long answer is never in memory twice."""
    waiting: list[Buffer] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= most:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def problem(refusal: Refusal) -> Answer:
    """A refusal of what is no request yet, as Kubernetes' Status."""
    error = ApiError(str(refusal), code=refusal.status, reason=REASONS.get(refusal.status, "BadRequest"), details={})
    return Answer(refusal.status, JSON, orjson.dumps(error.status()), refusal.headers)


class Protocol(asgi.Protocol):
    """One connection.

    The scope gets `client_certificate` (a User or None), `direct` to send an answer, and `tunnel` for requests to
    upgrade.
    """

    certificate: User | None = None
    account: Account | None = None
    """Of the user who asked last on this connection."""
    tunnel: Tunnel | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        secure = transport.get_extra_info("ssl_object")
        presented = secure.getpeercert(binary_form=True) if secure is not None else None
        if presented:
            self.certificate = of_certificate(secure.getpeercert(), presented)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["client_certificate"] = self.certificate  # type: ignore[typeddict-unknown-key]

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            self.tunnel = Tunnel(self, b"")
            self.scope["tunnel"] = self.tunnel  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()
        self.scope["direct"] = Direct(self)  # type: ignore[typeddict-unknown-key]

    def _should_upgrade(self) -> bool:
        # WebSockets too are handed on as raw bytes: of those that it ends, this server says the frames itself.
        return False

    def data_received(self, data: bytes) -> None:
        if self.tunnel is not None:
            self.tunnel.reader.feed_data(data)
            return
        super().data_received(data)

    def upgraded(self, rest: bytes) -> None:
        if self.tunnel is not None and rest:
            self.tunnel.reader.feed_data(rest)

    def belong(self, account: Account, settle: Callable[[Account], None]) -> None:
        """This connection is from now on that user's; `settle` is told when it ends, or becomes another's."""
        self._leave()
        self.account, self._settle = account, settle
        account.connections += 1

    def _leave(self) -> None:
        account, self.account = self.account, None
        if account is not None:
            account.connections -= 1
            self._settle(account)

    def rest(self, seconds: float) -> None:
        """Hear nothing of the client for a while, who asks faster than it is answered."""
        self.flow.pause_reading()
        self.loop.call_later(seconds, self._listen)

    def _listen(self) -> None:
        if not self.transport.is_closing() and not self.pipeline:
            self.flow.resume_reading()

    def stalled(self) -> None:
        """What it was to be sent is given up: if the client reads nothing, it cannot be told either."""
        if self.flow.write_paused:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        if self.tunnel is not None:
            self.tunnel.reader.feed_eof()
        super().connection_lost(exc)
