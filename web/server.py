"""A small HTTP server on asyncio: kept connections, answers whole or in pieces, TLS; within `limits.Limits`."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from web.door import NEVER, Deadlines, Door, bound
from web.http1 import (
    CONTINUE,
    LAST_CHUNK,
    TEXT,
    Message,
    Refusal,
    RequestReader,
    chunk,
    response_head,
    too_large,
)
from web.limits import Limits

log = logging.getLogger("web.server")

PIECE = 256 * 1024  # bytes of a long body that are handed to the transport at once


class Gone(ConnectionError):
    """The client left before its answer was sent."""


class Request:
    """What a page is asked: `headers` by their names in lower case; the body is there once it is asked for."""

    __slots__ = ("_connection", "_message", "headers", "method", "path", "query")

    def __init__(self, message: Message, connection: _Connection | None = None) -> None:
        self._message, self._connection = message, connection
        self.method, self.path, self.headers = message.method, message.path, message.headers
        self.query = message.query()

    async def read(self) -> bytes:
        """The whole body. Raises Refusal (408, 413) or Gone."""
        if self._connection is not None and not self._message.complete:
            await self._connection.body(self._message)
        return bytes(self._message.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is sent whole, or piece by piece as it comes; one that fails in between is cut, so that the client sees it."""

    status: int
    kind: str
    body: bytes | AsyncIterator[bytes]
    headers: dict[str, str] = field(default_factory=dict)


Page = Callable[[Request], Awaitable[Answer]]


def text(status: int, words: str) -> Answer:
    return Answer(status, TEXT, f"{words}\n".encode())


def plain(refusal: Refusal) -> Answer:
    """A refusal as a line of text."""
    return Answer(refusal.status, TEXT, f"{refusal}\n".encode(), refusal.headers)


def routes(pages: Mapping[tuple[str, str], Page]) -> Page:
    """One page of many, by (method, path); HEAD is answered where GET is."""
    paths = list(dict.fromkeys(path for _, path in pages))

    async def page(request: Request) -> Answer:
        method = "GET" if request.method == "HEAD" else request.method
        found = pages.get((method, request.path))
        if found is None:
            methods = [method for method, path in pages if path == request.path]
            if methods:
                raise Refusal(405, f"use {' or '.join(methods)}", {"Allow": ", ".join(methods)})
            raise Refusal(
                404, f"there are {', '.join(paths[:-1])} and {paths[-1]}" if paths[1:] else f"there is {paths[0]}"
            )
        return await found(request)

    return page


class Server:
    """`page` answers all requests; `problem` makes the answer of a refusal. Use it in one loop."""

    def __init__(self, page: Page, limits: Limits | None = None, problem: Callable[[Refusal], Answer] = plain) -> None:
        self.page, self.limits, self.problem = page, limits or Limits(), problem
        self.closing = False
        self.deadlines = Deadlines(self.limits)
        self._door = Door(self._connection, self.limits, lambda why: whole(problem(busy(why))))
        self._connections: set[_Connection] = set()
        self._empty = asyncio.Event()

    async def listen(self, address: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """The port, which the system chooses for 0. Raises OSError when it cannot."""
        return await self.listen_on(bound(address, port), tls)

    async def listen_on(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> int:
        """On a socket that is bound; its port. Raises OSError when another listens there by now."""
        return await self._door.listen(listener, tls)

    async def close(self, grace: float = 0.0) -> None:
        """No new connection, idle ones end; those that are being answered have `grace` seconds to their end."""
        self.closing = True
        self._door.close()
        for connection in list(self._connections):
            connection.leave()
        if self._connections and grace > 0:
            try:
                await asyncio.wait_for(self._empty.wait(), grace)
            except TimeoutError:
                log.debug("%d connections did not end within %g s", len(self._connections), grace)
        tasks = [task for connection in list(self._connections) if (task := connection.abort())]
        await asyncio.gather(*tasks, self._door.wait_closed(), return_exceptions=True)

    def _connection(self) -> _Connection:
        return _Connection(self, asyncio.get_running_loop())

    def begun(self, connection: _Connection) -> None:
        self._connections.add(connection)
        self._empty.clear()
        self.deadlines.join(connection)

    def ended(self, connection: _Connection) -> None:
        self.deadlines.leave(connection)
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()


class _Connection(asyncio.Protocol):
    """One client. `task` answers, request after request; `deadline` (loop time) is that of what it waits for now."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self._server, self._limits, self._loop = server, server.limits, loop
        self.deadline = NEVER
        self.task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._reader = RequestReader(self._limits)
        self._broken: Refusal | None = None  # nothing after what was read can be understood
        self._thrown = 0
        self._deaf = self._ended = self._streaming = self._lost = False
        self._more: asyncio.Future[None] | None = None  # of who waits for a body
        self._room: asyncio.Future[None] | None = None  # of who waits to write
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._tls = transport.get_extra_info("sslcontext") is not None
        self._server.begun(self)
        self.deadline = self._loop.time() + self._limits.header_seconds
        if self._server.closing:
            self._close()

    # -- it says something ----------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._thrown += len(data)
            if self._thrown > self._limits.linger_bytes and self._transport is not None:
                self._transport.abort()
            return
        reader = self._reader
        fresh = not reader.begun
        try:
            reader.feed(data)
        except Refusal as refusal:
            self._broken, self._deaf = refusal, True
        if self._more is not None:
            message = reader.messages[0]
            if message.complete or self._broken:
                self._wake()
        elif self.task is None and (reader.messages or self._broken):
            self.task = self._loop.create_task(self._run())
        elif reader.begun and fresh and self.task is None:
            self.deadline = self._loop.time() + self._limits.header_seconds
        if self.task is not None and self._more is None and not self._deaf:
            self._pause()  # one request after another, and no body before somebody wants it

    def _pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def eof_received(self) -> bool:
        """The client will say no more, but may still listen, which TLS does not allow."""
        self._ended = True
        if self._more is not None:
            self._lose(Gone("the client left in the middle of its body"))
        return self.task is not None and not self._tls and not self._streaming

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        self._server.ended(self)
        self._lose(Gone(f"the client has left: {error}" if error else "the client has left"))
        if self._broken is not None:
            self._broken.forget()
        if self._streaming and self.task is not None:
            self.task.cancel()

    def _lose(self, error: Exception) -> None:
        for waiter in (self._more, self._room):
            if waiter is not None and not waiter.done():
                waiter.set_exception(error)

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    async def body(self, message: Message) -> None:
        """Wait for the rest of a body. Raises Refusal or Gone."""
        assert self._transport is not None
        if message.length > self._limits.body_bytes:
            raise too_large(self._limits)
        if self._broken is None:
            if message.expects and not message.body:
                self._transport.write(CONTINUE)
            if self._ended or self._lost:
                raise Gone("the client left in the middle of its body")
            self._more = self._loop.create_future()
            self.deadline = self._loop.time() + self._limits.body_seconds
            self._resume()
            try:
                await self._more
            finally:
                self._more, self.deadline = None, NEVER
                self._pause()
        if not message.complete:
            raise self._broken or Gone("the client has left")

    # -- it is answered -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Answer what has come, one request after another."""
        assert self._transport is not None
        messages, self.deadline = self._reader.messages, NEVER
        try:
            while messages:
                message = messages[0]
                keep = await self._turn(message)
                messages.popleft()
                if not keep:
                    self._finish(message.complete)
                    return
            if self._broken is not None:
                await self._send(self._server.problem(self._broken), close=True)
                self._finish(False)
                return
        except Gone as failure:
            log.debug("an answer did not reach its client: %s", failure)
            self._transport.abort()
            return
        except asyncio.CancelledError:
            self._transport.abort()
            raise
        except Exception:
            log.exception("an answer failed when it had begun")
            self._transport.abort()
            return
        finally:
            self.task = None
        if self._ended or self._server.closing:
            self._close()
            return
        waits_for = self._limits.header_seconds if self._reader.begun else self._limits.idle_seconds
        self.deadline = self._loop.time() + waits_for
        self._resume()

    async def _turn(self, message: Message) -> bool:
        """One request; whether the connection may be used again."""
        try:
            answer = await self._server.page(Request(message, self))
        except Refusal as refusal:
            answer = self._server.problem(refusal)
        except Gone:
            raise
        except Exception:
            log.exception("%s %s failed", message.method, message.path)
            answer = self._server.problem(Refusal(500, "this failed; the log of this process says more"))
        old = message.version == "1.0"
        keep = message.keep and message.complete and not self._server.closing
        keep = keep and not (old and not isinstance(answer.body, bytes))
        await self._send(answer, close=not keep, old=old, head=message.method == "HEAD")
        return keep

    async def _send(self, answer: Answer, *, close: bool, old: bool = False, head: bool = False) -> None:
        start, body = _head(answer, close, old), answer.body
        if isinstance(body, bytes):
            await self._write(start if head else start + body[:PIECE])
            for at in range(PIECE, 0 if head else len(body), PIECE):
                await self._write(body[at : at + PIECE])
            return
        try:
            await self._write(start)
            if not head:
                self._streaming = True
                self._resume()  # else nobody notices that the client leaves
                async for piece in body:
                    if piece:
                        await self._write(piece if old else chunk(piece))
                self._streaming = False
                if not old:
                    await self._write(LAST_CHUNK)
        finally:
            if isinstance(body, AsyncGenerator):
                await body.aclose()

    async def _write(self, piece: bytes) -> None:
        assert self._transport is not None
        if self._lost or self._transport.is_closing():
            raise Gone("the client has left")
        self._transport.write(piece)
        if self._full:
            self._room = self._loop.create_future()
            self.deadline = self._loop.time() + self._limits.write_seconds
            try:
                await self._room
            finally:
                self._room, self.deadline = None, NEVER

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    # -- it ends --------------------------------------------------------------------------------------------------------

    def _finish(self, whole: bool) -> None:
        """The last answer is written. A client that still sends reads it only if it may go on for a while."""
        assert self._transport is not None
        if whole or self._ended or self._lost:
            self._close()
            return
        self._deaf, self.deadline = True, self._loop.time() + self._limits.linger_seconds
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._resume()

    def _close(self) -> None:
        assert self._transport is not None
        self._deaf, self.deadline = True, self._loop.time() + self._limits.write_seconds
        self._transport.close()

    def overdue(self) -> None:
        """The time for what was awaited is over."""
        if self._more is not None:
            self._broken, self._deaf = Refusal(408, f"no whole body within {self._limits.body_seconds:g} s"), True
            self._wake()
        elif self._deaf or self._room is not None:
            self.abort()
        elif self._reader.begun:
            self._broken, self._deaf = Refusal(408, f"no whole request within {self._limits.header_seconds:g} s"), True
            self.task = self._loop.create_task(self._run())
        else:
            self._close()

    def leave(self) -> None:
        """The server stops: an idle connection ends."""
        if self.task is None and self._transport is not None and not self._deaf:
            self._close()

    def abort(self) -> asyncio.Task[None] | None:
        """End it now; the task that is ended."""
        if self.task is not None:
            self.task.cancel()
        if self._transport is not None:
            self._transport.abort()
        return self.task


def busy(why: str) -> Refusal:
    """What a connection too many is told."""
    return Refusal(503, why, {"Retry-After": "1"})


def whole(answer: Answer) -> bytes:
    """A whole answer that is the last on its connection."""
    assert isinstance(answer.body, bytes)
    return _head(answer, close=True) + answer.body


def _head(answer: Answer, close: bool, old: bool = False) -> bytes:
    headers = {"Content-Type": answer.kind, "Cache-Control": "no-store"}
    if answer.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    headers |= answer.headers
    if isinstance(answer.body, bytes):
        headers["Content-Length"] = str(len(answer.body))
    elif not old:
        headers["Transfer-Encoding"] = "chunked"
    if close or old:
        headers["Connection"] = "close" if close else "keep-alive"
    return response_head(answer.status, headers)
