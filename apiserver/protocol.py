"""uvicorn's HTTP protocol with two things that ASGI lacks: the client's certificate, and taking over a connection."""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from apiserver.authn.authenticator import of_certificate
from cluster.users import User

BUFFER = 256 * 1024


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
        cycle.response_started = cycle.response_complete = cycle.disconnected = True

    async def write(self, data: bytes) -> None:
        self.protocol.transport.write(data)
        await self.protocol.flow.drain()

    def close(self) -> None:
        self.protocol.transport.close()


class Whole:
    """Sends an answer that is complete, head and body in one write: ASGI's two messages cost two TLS records."""

    __slots__ = ("cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self.cycle = cycle

    async def send(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """The headers must be valid and hold the content's type; its length is added here."""
        cycle = self.cycle
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected:
            return
        cycle.keep_alive = cycle.keep_alive and (b"connection", b"close") not in headers
        head = [STATUS_LINE[status]]
        for name, value in (*cycle.default_headers, *headers):
            head += (name, b": ", value, b"\r\n")
        if not cycle.keep_alive and (b"connection", b"close") not in headers:
            head.append(b"connection: close\r\n")
        head.append(b"content-length: %d\r\n\r\n" % len(body))
        if cycle.scope["method"] != "HEAD":
            head.append(body)
        cycle.transport.write(b"".join(head))
        self._finish()

    def _finish(self) -> None:
        cycle = self.cycle
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()


class Protocol(HttpToolsProtocol):
    """One connection.

    The scope gets `client_certificate` (a User or None), `whole` to send a complete answer, and `tunnel` for requests to
    upgrade.
    """

    certificate: User | None = None
    tunnel: Tunnel | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        secure = transport.get_extra_info("ssl_object")
        presented = secure.getpeercert() if secure is not None else None
        if presented:
            self.certificate = of_certificate(presented)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["client_certificate"] = self.certificate  # type: ignore[typeddict-unknown-key]

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            self.tunnel = Tunnel(self, b"")
            self.scope["tunnel"] = self.tunnel  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()
        self.scope["whole"] = Whole(self.cycle)  # type: ignore[typeddict-unknown-key]

    def _should_upgrade(self) -> bool:
        # WebSockets too are handed on as raw bytes: this server ends none of them.
        return False

    def data_received(self, data: bytes) -> None:
        if self.tunnel is not None:
            self.tunnel.reader.feed_data(data)
            return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.tunnel is not None and len(data) > upgrade.args[0]:
                self.tunnel.reader.feed_data(data[upgrade.args[0]:])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def connection_lost(self, exc: Exception | None) -> None:
        if self.tunnel is not None:
            self.tunnel.reader.feed_eof()
        super().connection_lost(exc)
