"""uvicorn's HTTP protocol with two things that ASGI lacks: the client's certificate, and taking over a connection."""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

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


class Protocol(HttpToolsProtocol):
    """One connection. The scope gets `client_certificate` (a User or None), and `tunnel` for requests to upgrade."""

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
