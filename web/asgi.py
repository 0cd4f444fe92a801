"""uvicorn within limits: for the API server and the dashboard, which speak ASGI.

uvicorn itself bounds neither a request's head nor how long its parts may take, nor how many connections there are; what
it has of time-outs takes a timer for each request.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, cast

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from web.door import NEVER, Deadlines, Door
from web.http1 import Head, Refusal
from web.limits import Limits
from web.server import Answer, busy, plain, whole

log = logging.getLogger("web.asgi")

Problem = Callable[[Refusal], Answer]

BUFFER = 64 * 1024  # bytes written that the client has not taken, from which on no more is written

NOTHING, HEAD, BODY, IDLE, READER, END = "", "head", "body", "idle", "reader", "end"


class Protocol(HttpToolsProtocol):
    """One connection. `awaited` is what it waits for until `deadline`: of its client, or NOTHING."""

    def __init__(
        self, config: uvicorn.Config, state: ServerState, app_state: dict[str, Any], server: Server, problem: Problem
    ) -> None:
        super().__init__(config, state, app_state)
        self.limits, self._deadlines, self._problem = server.limits, server.deadlines, problem
        self.head = Head(server.limits)
        self.deadline, self.awaited = NEVER, NOTHING
        self.patient = False
        """Its reader may take a while: it looks at what comes, as `kubectl logs -f | less` does."""
        self._deaf, self._thrown = False, 0
        self._last: Refusal | None = None  # said after what is being answered

    def _await(self, what: str, seconds: float = NEVER) -> None:
        self.awaited, self.deadline = what, self.loop.time() + seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(BUFFER)  # of TLS it would be eight times as much
        self._deadlines.join(self)
        self._await(HEAD, self.limits.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadlines.leave(self)
        if self.head.refusal is not None:
            self.head.refusal.forget()
        super().connection_lost(exc)

    # -- what comes -----------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._thrown += len(data)
            if self._thrown > self.limits.linger_bytes:
                self.transport.abort()
            return
        try:
            self.parser.feed_data(data)
            self.head.fed(len(data))
        except httptools.HttpParserUpgrade as upgrade:
            self.upgraded(data[upgrade.args[0] :])
        except (httptools.HttpParserError, Refusal):
            self.refuse(self.head.refusal or Refusal(400, "Invalid HTTP request received."))
        else:
            if self.awaited == IDLE and self.head.begun:
                self._await(HEAD, self.limits.header_seconds)

    def upgraded(self, rest: bytes) -> None:
        """Another protocol is asked for; `rest` was sent in it already."""
        if self._should_upgrade():
            self._deadlines.leave(self)  # what follows is of WebSockets: pings tell who has left
            self.handle_websocket_upgrade()
        else:
            self._unsupported_upgrade_warning()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.head.begin(len(self.pipeline))

    def on_url(self, url: bytes) -> None:
        self.head.grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.head.header(name, value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self.head.whole()
        self.patient = False
        self._await(BODY, self.limits.body_seconds)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.head.moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.head.moved = True
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete:
            self._rest()
        else:
            self._await(NOTHING)

    # -- what goes ------------------------------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self._close()
            return
        if self.pipeline:  # read on only when these are answered: they are in memory already
            self._start_asgi_task(*self.pipeline.pop())
        elif self._last is not None:
            self._say(self._last)
        else:
            self.flow.resume_reading()
            if self.awaited != BODY:
                self._rest()

    def _rest(self) -> None:
        """All that came is answered."""
        if self.head.begun:
            self._await(HEAD, self.limits.header_seconds)
        else:
            self._await(IDLE, self.limits.idle_seconds)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.awaited == NOTHING and not self.patient:
            self._await(READER, self.limits.write_seconds)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.awaited == READER:
            self._await(NOTHING)

    # -- how it ends ----------------------------------------------------------------------------------------------------

    def overdue(self) -> None:
        """The time for what was awaited is over."""
        if self.awaited == HEAD and self.head.begun:
            self.refuse(Refusal(408, f"no whole request within {self.limits.header_seconds:g} s"))
        elif self.awaited == BODY and self.flow.read_paused:  # it is us who do not read
            self._await(BODY, self.limits.body_seconds)
        elif self.awaited == BODY and not self.cycle.response_complete:
            self.refuse(Refusal(408, f"no whole body within {self.limits.body_seconds:g} s"))
        elif self.awaited == READER or self.transport.is_closing():
            self.transport.abort()
        else:
            self._close()

    def _close(self) -> None:
        """End it when all that is written is taken, which has its time too."""
        self.transport.close()
        self._await(END, self.limits.write_seconds)

    def refuse(self, refusal: Refusal) -> None:
        """Nothing more is read here: say why, after what is being answered, and end."""
        self._deaf, cycle = True, self.cycle
        if cycle is None or cycle.response_complete:
            self._say(refusal)
        elif not cycle.more_body:
            self._last = refusal
        elif cycle.response_started or self.pipeline:
            self.transport.abort()
        else:
            cycle.disconnected = True  # who waits for its body waits in vain
            cycle.message_event.set()
            self._say(refusal)

    def _say(self, refusal: Refusal) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(whole(self._problem(refusal)))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()  # a client that still sends reads only if it may go on for a while
        self._await(END, self.limits.linger_seconds)


class Server(uvicorn.Server):
    """Serves on sockets that are bound. `config.http` is a `Protocol`; `problem` makes the answer of a refusal."""

    def __init__(self, config: uvicorn.Config, limits: Limits, problem: Problem = plain) -> None:
        super().__init__(config)
        self.limits, self._problem = limits, problem
        self.deadlines = Deadlines(limits)
        self.door = Door(self._connection, limits, lambda why: whole(problem(busy(why))))

    def _connection(self) -> Protocol:
        protocol = cast(type[Protocol], self.config.http_protocol_class)
        return protocol(self.config, self.server_state, self.lifespan.state, self, self._problem)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        for listener in sockets or ():
            await self.door.listen(listener, self.config.ssl)
        self.servers = [cast(asyncio.Server, self.door)]
        self.started = True
