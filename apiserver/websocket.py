"""What a client reads over a WebSocket: a stream's chunks as messages, binary, or text in base64."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from apiserver.response import Taken
from kube.errors import ApiError, BadRequest

if TYPE_CHECKING:
    from apiserver.protocol import Tunnel
    from apiserver.request import Request

BASE64 = "base64.binary.k8s.io"
PROTOCOLS = ("binary.k8s.io", BASE64)
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MAX_HEARD = 64 * 1024  # bytes of a client's message, which has nothing to say


def wanted(request: Request) -> bool:
    return "tunnel" in request.scope and request.header(b"upgrade").lower() == "websocket"


async def send(request: Request, chunks: AsyncIterator[bytes]) -> Taken:
    """Answer with the chunks until they end or the client leaves. Raises BadRequest, 403 for other protocols."""
    protocol = _agreed(request)
    tunnel: Tunnel = request.scope["tunnel"]
    tunnel.take()
    await tunnel.write(_head(request, protocol))
    heard = asyncio.ensure_future(_heard(tunnel))
    sent = asyncio.ensure_future(_sent(tunnel, chunks, protocol == BASE64))
    try:
        await asyncio.wait((heard, sent), return_when=asyncio.FIRST_COMPLETED)
    finally:
        heard.cancel()
        sent.cancel()
        await asyncio.gather(heard, sent, return_exceptions=True)
        tunnel.close()
    return Taken()


def _agreed(request: Request) -> str:
    """The protocol of the first that the client offers and this server speaks; "" for who offers none."""
    if not request.header(b"sec-websocket-key") or request.header(b"sec-websocket-version") != "13":
        raise BadRequest("a WebSocket of version 13 needs a Sec-WebSocket-Key")
    offered = [part.strip() for part in ",".join(request.headers(b"sec-websocket-protocol")).split(",") if part.strip()]
    found = next((protocol for protocol in offered if protocol in PROTOCOLS), "")
    if offered and not found:
        raise ApiError(f"this server speaks {', '.join(PROTOCOLS)}", code=403, reason="Forbidden")
    return found


def _head(request: Request, protocol: str) -> bytes:
    key = request.header(b"sec-websocket-key").encode("latin-1")
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()),
        *([b"Sec-WebSocket-Protocol: " + protocol.encode()] if protocol else []),
    ]
    return b"\r\n".join([*lines, b"", b""])


async def _sent(tunnel: Tunnel, chunks: AsyncIterator[bytes], text: bool) -> None:
    with contextlib.suppress(ApiError):  # the backend is gone: so is the stream
        async for chunk in chunks:
            await tunnel.write(frame(TEXT, base64.b64encode(chunk)) if text else frame(BINARY, chunk))
    await tunnel.write(frame(CLOSE, b"\x03\xe8"))  # 1000: a normal end


async def _heard(tunnel: Tunnel) -> None:
    """Returns when the client closes, leaves, or says more than anybody who only reads has to say."""
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            first, second = await tunnel.reader.readexactly(2)
            size = second & 0x7F
            if size > 125:
                size = int.from_bytes(await tunnel.reader.readexactly(2 if size == 126 else 8), "big")
            if first & 0x0F == CLOSE or size > MAX_HEARD:
                return
            mask = await tunnel.reader.readexactly(4) if second & 0x80 else bytes(4)
            payload = await tunnel.reader.readexactly(size)
            if first & 0x0F == PING and size <= 125:
                await tunnel.write(frame(PONG, bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))))


def frame(kind: int, payload: bytes) -> bytes:
    """A message in one frame, as servers send it."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | kind, size)) + payload
    if size < 1 << 16:
        return bytes((0x80 | kind, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | kind, 127)) + size.to_bytes(8, "big") + payload
