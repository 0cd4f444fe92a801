"""Streams over one connection, as the side that answers: the client opens them, each is half-closed on its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from kubelet.server.spdy.frames import (
    DATA,
    FIN,
    GOAWAY,
    PING,
    RST_STREAM,
    SYN_STREAM,
    Decoder,
    Encoder,
    Frame,
    ProtocolError,
)

MAX_STREAMS = 1000
QUEUE = 64
_REFUSED = 3


class Carrier(Protocol):
    """What carries the frames."""

    def chunks(self) -> AsyncIterator[bytes]:
        """What arrives, until the client is gone."""

    async def send(self, data: bytes) -> None: ...


class Stream:
    """One stream. `headers` have lower-case names; reading gives b"" at the end and after a reset.

    Who closes a stream reads no more of it.
    """

    def __init__(self, session: Session, number: int, headers: dict[str, str]) -> None:
        self.number, self.headers = number, headers
        self._session = session
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue(QUEUE)
        self.done_reading = self.done_writing = False

    async def read(self) -> bytes:
        if self.done_reading and self._arrived.empty():
            return b""
        return await self._arrived.get()

    async def write(self, data: bytes) -> None:
        if not self.done_writing:
            await self._session.send(self._session.encoder.data(self.number, data))

    async def close(self) -> None:
        """Nothing more is written."""
        if not self.done_writing:
            self.done_writing = True
            while not self._arrived.empty():  # nobody will read it, and the session may wait for room
                self._arrived.get_nowait()
            await self._session.send(self._session.encoder.data(self.number, b"", fin=True))
            self._session.settle(self)

    async def arrived(self, data: bytes) -> None:
        """Waits while the reader is behind: the connection's flow control slows the client."""
        if not self.done_reading and not self.done_writing:
            await self._arrived.put(data)

    def ended(self) -> None:
        if not self.done_reading:
            self.done_reading = True
            if not self._arrived.full():  # a full queue has no reader that waits
                self._arrived.put_nowait(b"")
            self._session.settle(self)


class Session:
    """Calls `opened(stream)` for each stream the client opens. `run` ends when the client is gone."""

    def __init__(self, carrier: Carrier, opened: Callable[[Stream], None]) -> None:
        self.encoder = Encoder()
        self._carrier, self._opened = carrier, opened
        self._streams: dict[int, Stream] = {}
        self._sending = asyncio.Lock()

    async def send(self, data: bytes) -> None:
        async with self._sending:
            await self._carrier.send(data)

    def settle(self, stream: Stream) -> None:
        if stream.done_reading and stream.done_writing:
            self._streams.pop(stream.number, None)

    async def run(self) -> None:
        decoder = Decoder()
        try:
            async for data in self._carrier.chunks():
                for frame in decoder.feed(data):
                    await self._handle(frame)
        except ProtocolError:
            await self.send(self.encoder.goaway(0))
        finally:
            for stream in list(self._streams.values()):
                stream.done_writing = True
                stream.ended()

    async def _handle(self, frame: Frame) -> None:
        if frame.kind == SYN_STREAM:
            if len(self._streams) >= MAX_STREAMS or frame.stream in self._streams:
                await self.send(self.encoder.reset(frame.stream, _REFUSED))
            else:
                opened = self._streams[frame.stream] = Stream(self, frame.stream, frame.headers)
                await self.send(self.encoder.syn_reply(frame.stream))
                self._opened(opened)
        elif frame.kind == PING:
            await self.send(self.encoder.ping(frame.body))
        elif frame.kind == GOAWAY:
            return
        stream = self._streams.get(frame.stream)
        if stream is None:
            return
        if frame.kind == DATA and frame.body:
            await stream.arrived(frame.body)
        if frame.kind == RST_STREAM:
            stream.done_writing = True
            stream.ended()
        elif frame.flags & FIN:
            stream.ended()
