"""What carries SPDY: an HTTP connection upgraded to it, or a WebSocket whose binary messages are its bytes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import WSMsgType, web

TUNNEL = "SPDY/3.1+portforward.k8s.io"
CHUNK = 64 * 1024
PING = 30.0


def tunnelled(request: web.Request) -> bool:
    """Whether the client speaks SPDY within a WebSocket, as `kubectl port-forward` does since 1.31."""
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    return TUNNEL in (part.strip() for part in offered.split(","))


def plain(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "spdy/3.1"


class WebSocketCarrier:
    """The bytes of binary messages; where one ends has no meaning."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    @classmethod
    async def open(cls, request: web.Request) -> tuple[WebSocketCarrier, web.WebSocketResponse]:
        socket = web.WebSocketResponse(protocols=[TUNNEL], heartbeat=PING, max_msg_size=16 * 1024 * 1024)
        await socket.prepare(request)
        return cls(socket), socket

    async def chunks(self) -> AsyncIterator[bytes]:
        async for message in self._socket:
            if message.type == WSMsgType.BINARY:
                yield message.data

    async def send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            await self._socket.send_bytes(data)


class ConnectionCarrier:
    """The connection itself, taken from the HTTP server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: _Taken) -> None:
        self._reader, self._writer, self._protocol = reader, writer, protocol

    @classmethod
    def open(cls, request: web.Request, headers: dict[str, str]) -> ConnectionCarrier:
        """Answers 101; the client waits for that, so nothing of its SPDY was read by the HTTP server before."""
        transport: Any = request.transport
        if transport is None:
            raise web.HTTPBadRequest(text="the connection is gone\n")
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = _Taken(reader, request.protocol)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: SPDY/3.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        return cls(reader, writer, protocol)

    async def chunks(self) -> AsyncIterator[bytes]:
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(CHUNK):
                yield data

    async def send(self, data: bytes) -> None:
        # A transport of TLS breaks, or fills the log, when it is written to after its connection was lost.
        if self._writer.is_closing() or self._protocol.lost:
            return
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()
            await asyncio.sleep(0)  # so that a loss is known before the next of many small frames


class _Taken(asyncio.StreamReaderProtocol):
    """Tells the HTTP server, which counts its connections, when this one ended."""

    def __init__(self, reader: asyncio.StreamReader, before: asyncio.BaseProtocol) -> None:
        super().__init__(reader)
        self._before = before
        self.lost = False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        super().connection_lost(exc)
        self._before.connection_lost(exc)


class Answered(web.StreamResponse):
    """For a handler whose client was answered on the connection itself: there is nothing left to send."""

    async def prepare(self, request: web.BaseRequest) -> None:
        self.force_close()

    async def write_eof(self, data: bytes = b"") -> None:
        return
