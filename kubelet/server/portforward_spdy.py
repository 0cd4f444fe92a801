"""Port forwarding over SPDY: for each connection the client opens a pair of streams, `error` and `data`."""

from __future__ import annotations

import asyncio
import contextlib

from kubelet.server.spdy.session import Carrier, Session, Stream
from web.address import port_of

CHUNK = 32 * 1024


class Forwarding:
    """All connections of one client to the pod at `address`; `pod` names it in errors."""

    def __init__(self, carrier: Carrier, address: str, pod: str) -> None:
        self._address, self._pod = address, pod
        self._errors: dict[str, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session = Session(carrier, self._opened)

    async def run(self) -> None:
        try:
            await self._session.run()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _opened(self, stream: Stream) -> None:
        """The error stream comes first; both carry the same request id (older clients send none: the port)."""
        key = stream.headers.get("requestid") or stream.headers.get("port", "")
        if stream.headers.get("streamtype") == "error":
            self._errors[key] = stream
            return
        task = asyncio.create_task(self._forward(stream, self._errors.pop(key, None)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, data: Stream, error: Stream | None) -> None:
        port = data.headers.get("port", "")
        try:
            if (number := port_of(port)) is None:
                raise OSError(f"{port[:100]!r} is no port")
            reader, writer = await asyncio.open_connection(self._address, number)
        except OSError as problem:
            if error is not None:
                await error.write(f"error forwarding port {port[:100]} to pod {self._pod}: {problem}".encode())
        else:
            await _copy(data, reader, writer)
        await data.close()
        if error is not None:
            await error.close()


async def _copy(stream: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Both ways, until the pod ended its side or the connection broke; the client may end its own before."""

    async def inward() -> None:
        with contextlib.suppress(OSError):
            while (data := await stream.read()) and not writer.is_closing():
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()

    task = asyncio.create_task(inward())
    try:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await stream.write(data)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        writer.close()
