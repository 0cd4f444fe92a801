"""Streams over a WebSocket: the first byte of a message is the channel.

0 standard input, 1 output, 2 errors, 3 the end, 4 terminal size, and 255 closes a channel (v5). Under `base64` protocols
messages are text: the channel is a digit, what follows base64. The end is a Status from v4 on; before, words that say
what went wrong, or nothing.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable

import orjson
from aiohttp import WSMessage, WSMsgType, web

from kubelet.server.containers import flag
from kubelet.server.spdy import carrier
from kubelet.server.spdy.streams import StreamSocket

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
WITH_STATUS = ("v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io")
PROTOCOLS = (*WITH_STATUS, "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io", "base64.channel.k8s.io")
PING = 30.0


Socket = web.WebSocketResponse | StreamSocket


async def open_socket(request: web.Request) -> Socket:
    """A WebSocket, or what older clients (and many operators) speak: SPDY. 426 for all others."""
    if carrier.plain(request):
        return await StreamSocket.open(request)
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise web.HTTPUpgradeRequired(
            text="Upgrade request required: to websocket (v4.channel.k8s.io, v5.channel.k8s.io) or SPDY/3.1\n"
        )
    offered = [part.strip() for part in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if part.strip()]
    if offered and not set(offered) & set(PROTOCOLS):
        raise web.HTTPForbidden(text=f"this server speaks {', '.join(PROTOCOLS)}, not {', '.join(offered)}\n")
    socket = web.WebSocketResponse(protocols=PROTOCOLS, heartbeat=PING, max_msg_size=16 * 1024 * 1024)
    await socket.prepare(request)
    return socket


def size_of(payload: bytes) -> tuple[int, int] | None:
    """(columns, rows) that a message on the channel RESIZE asks for; None for what is no size."""
    try:
        asked = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(asked, dict):
        return None
    columns, rows = asked.get("Width", 80), asked.get("Height", 24)
    fits = all(isinstance(one, int) and 0 <= one < 65_536 for one in (columns, rows))
    return (columns, rows) if fits else None


def exit_status(code: int) -> dict[str, object]:
    """The Status of a command that ended."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": causes},
    }


def failure(message: str) -> dict[str, object]:
    return {"metadata": {}, "status": "Failure", "reason": "InternalError", "message": message, "code": 500}


async def open_streams(request: web.Request) -> Socket:
    """Like `open_socket`; a WebSocket is told, by an empty message on the first channel that it hears, that it stands."""
    socket = await open_socket(request)
    if isinstance(socket, web.WebSocketResponse):
        await send(socket, STDOUT if flag(request, "stdout") else STDERR if flag(request, "stderr") else ERROR, b"")
    return socket


async def send(socket: Socket, channel: int, data: bytes) -> None:
    """One message."""
    if isinstance(socket, web.WebSocketResponse) and _is_text(socket):
        await socket.send_str(f"{channel}{base64.b64encode(data).decode()}")
    else:
        await socket.send_bytes(bytes([channel]) + data)


def _is_text(socket: Socket) -> bool:
    return "base64" in (socket.ws_protocol or "")


async def finish(socket: Socket, status: dict[str, object]) -> None:
    """Tell how it ended, in the form of the protocol, and close."""
    if socket.ws_protocol in WITH_STATUS:
        await send(socket, ERROR, orjson.dumps(status))
    elif status["status"] != "Success":
        await send(socket, ERROR, str(status["message"]).encode())
    await socket.close()


async def receive(
    socket: Socket, on_data: Callable[[int, bytes], Awaitable[None]], on_close: Callable[[int], None]
) -> None:
    """Until the client closes the connection, or sends what is no message of its protocol."""
    message: WSMessage
    async for message in socket:
        if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT) or not message.data:
            continue
        data = message.data.encode() if isinstance(message.data, str) else bytes(message.data)
        if _is_text(socket):
            try:
                data = bytes([data[0] - ord("0")]) + base64.b64decode(data[1:], validate=True)
            except (binascii.Error, ValueError):
                return
        if data[0] == CLOSE and len(data) > 1:
            on_close(data[1])
        else:
            await on_data(data[0], data[1:])


async def pump(socket: Socket, channel: int, reader: asyncio.StreamReader) -> None:
    """Sends all that `reader` gives."""
    while chunk := await reader.read(32 * 1024):
        await send(socket, channel, chunk)
