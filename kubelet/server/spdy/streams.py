"""exec and attach over SPDY: one stream for each of a command's streams, shown as a WebSocket with channels."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from aiohttp import WSMessage, WSMsgType, web

from kubelet.server.spdy.carrier import Answered, ConnectionCarrier
from kubelet.server.spdy.session import Session, Stream

CHANNELS = {"stdin": 0, "stdout": 1, "stderr": 2, "error": 3, "resize": 4}
_CLOSE = 255
_FROM_CLIENT = ("stdin", "resize")
PROTOCOLS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
_WITHOUT_RESIZE = PROTOCOLS[2:]
OPENING = 30.0
QUEUE = 64


class StreamSocket(Answered):
    """Has what handlers use of a WebSocketResponse: `send_bytes`, `close`, iteration over messages."""

    def __init__(self, expected: set[str], protocol: str) -> None:
        super().__init__()
        self.ws_protocol = protocol
        self._expected = expected
        self._complete = asyncio.Event()
        self._streams: dict[int, Stream] = {}
        self._messages: asyncio.Queue[WSMessage | None] = asyncio.Queue(QUEUE)
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, request: web.Request) -> StreamSocket:
        """Returns when the client opened all streams that its query promised; raises 403 for other protocols."""
        offered = ",".join(request.headers.getall("X-Stream-Protocol-Version", []))
        protocol = next((part for part in map(str.strip, offered.split(",")) if part in PROTOCOLS), None)
        if protocol is None:
            raise web.HTTPForbidden(
                text=f"unable to upgrade: this server speaks {', '.join(PROTOCOLS)}, not {offered or 'nothing'}\n"
            )
        socket = cls(_expected(request, resize=protocol not in _WITHOUT_RESIZE), protocol)
        connection = ConnectionCarrier.open(request, {"X-Stream-Protocol-Version": protocol})
        session = Session(connection, socket._opened)
        socket._spawn(socket._run(session))
        try:
            async with asyncio.timeout(OPENING):
                await socket._complete.wait()
        except TimeoutError as error:
            raise web.HTTPRequestTimeout(text="the client did not open its streams\n") from error
        return socket

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, session: Session) -> None:
        await session.run()
        self._complete.set()
        await self._messages.put(None)

    def _opened(self, stream: Stream) -> None:
        kind = stream.headers.get("streamtype", "")
        if kind not in CHANNELS:
            return
        self._streams[CHANNELS[kind]] = stream
        if kind in _FROM_CLIENT:
            self._spawn(self._receive(CHANNELS[kind], stream))
        if {CHANNELS[name] for name in self._expected} <= set(self._streams):
            self._complete.set()

    async def _receive(self, channel: int, stream: Stream) -> None:
        while data := await stream.read():
            await self._messages.put(WSMessage(WSMsgType.BINARY, bytes([channel]) + data, None))
        await self._messages.put(WSMessage(WSMsgType.BINARY, bytes([_CLOSE, channel]), None))

    def __aiter__(self) -> StreamSocket:
        return self

    async def __anext__(self) -> WSMessage:
        message = await self._messages.get()
        if message is None:
            raise StopAsyncIteration
        return message

    async def send_bytes(self, data: bytes) -> None:
        """The first byte is the channel; what the client has no stream for is dropped."""
        stream = self._streams.get(data[0])
        if stream is not None:
            await stream.write(data[1:])

    async def close(self) -> None:
        for stream in self._streams.values():
            await stream.close()

    async def write_eof(self, data: bytes = b"") -> None:
        for task in list(self._tasks):
            task.cancel()


def _expected(request: web.Request, resize: bool) -> set[str]:
    asked = {
        name for name in ("stdin", "stdout", "stderr", "tty") if request.query.get(name, "").lower() in ("1", "true")
    }
    if "tty" in asked:
        asked = (asked - {"tty", "stderr"}) | ({"resize"} if resize else set())
    return asked | {"error"}
