"""Listening sockets: who connects is counted, by address and in all, before anything is paid for it.

Every server of the project listens here, whatever it speaks: HTTP of `server`, `asgi` and `aio`, DNS, forwarded bytes.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from web.http1 import host_header
from web.limits import Limits

log = logging.getLogger("web.door")

BACKLOG = 512  # connections that the system keeps for us before they are accepted
NEVER = float("inf")
IP_FREEBIND = 15  # linux/in.h; the socket module does not name it


class Door:
    """`protocol` makes what speaks on each connection; `full` what one too many is told, where TLS does not forbid it."""

    def __init__(
        self,
        protocol: Callable[[], asyncio.BaseProtocol],
        limits: Limits,
        full: Callable[[str], bytes] = lambda why: b"",
    ) -> None:
        self._protocol, self.limits, self._full = protocol, limits, full
        self.connections = 0
        self._by_address: Counter[str] = Counter()
        self._listening: list[socket.socket] = []
        self._arriving: set[asyncio.Task[None]] = set()
        # The rest is for files, databases and what is asked of others.
        self._most = min(limits.connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 3 // 4)

    @property
    def sockets(self) -> list[socket.socket]:
        return self._listening

    async def listen(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> int:
        """On a socket that is bound; its port. Raises OSError when another listens there by now."""
        try:
            listener.listen(BACKLOG)
        except OSError as error:
            address, port, *_ = listener.getsockname()
            listener.close()
            raise _taken(error, address, port) from error
        listener.setblocking(False)
        self._listening.append(listener)
        asyncio.get_running_loop().add_reader(listener, self._accept, listener, tls)
        return int(listener.getsockname()[1])

    def close(self) -> None:
        """Nobody comes in any more; who is in stays."""
        loop = asyncio.get_running_loop()
        for listener in self._listening:
            loop.remove_reader(listener)
            listener.close()
        self._listening.clear()

    async def wait_closed(self) -> None:
        """Until nobody is between connecting and his protocol's first word."""
        for task in self._arriving:
            task.cancel()
        await asyncio.gather(*self._arriving, return_exceptions=True)

    def _accept(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Counted before the handshake, which costs more than all that follows."""
        loop = asyncio.get_running_loop()
        try:
            accepted, peer = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:  # out of descriptors: others may end meanwhile
            log.error("no connection can be accepted: %s", error)
            loop.remove_reader(listener)
            loop.call_later(1.0, self._again, listener, tls)
            return
        accepted.setblocking(False)
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        if why := self._too_many(address):
            log.debug("a connection from %s is refused: %s", address, why)
            _turn_away(accepted, b"" if tls else self._full(why))
            return
        self.connections += 1
        self._by_address[address] += 1
        client = _Client(accepted, lambda: self._leave(address))
        task = loop.create_task(self._take(client, address, tls))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    def _again(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        if listener in self._listening:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener, tls)

    def _too_many(self, address: str) -> str:
        """Why one more connection from there is too many; "" when it is not."""
        if self.connections >= self._most:
            return f"{self._most} connections are open already"
        if self._by_address[address] >= self.limits.per_address:
            return f"{address} has {self.limits.per_address} connections open already"
        return ""

    async def _take(self, client: socket.socket, address: str, tls: ssl.SSLContext | None) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol,
                client,
                ssl=tls,
                ssl_handshake_timeout=self.limits.header_seconds if tls else None,
                ssl_shutdown_timeout=self.limits.linger_seconds if tls else None,
            )
        except (OSError, asyncio.CancelledError) as error:
            log.debug("no TLS with %s: %r", address, error)
            client.close()

    def _leave(self, address: str) -> None:
        self.connections -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]


class _Client(socket.socket):
    """The socket of one connection: it tells its end, whatever protocols spoke on it.

    asyncio closes it then; uvloop closes what it stands for, and detaches it.
    """

    def __init__(self, accepted: socket.socket, left: Callable[[], None]) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self._left: Callable[[], None] | None = left

    def close(self) -> None:
        super().close()
        self._end()

    def detach(self) -> int:
        number = super().detach()
        self._end()
        return number

    def _end(self) -> None:
        left, self._left = self._left, None
        if left is not None:
            left()


def _turn_away(client: socket.socket, words: bytes) -> None:
    with client:
        if words:
            try:
                client.send(words)
            except OSError:
                pass  # it has left


def bound(address: str, port: int, *, early: bool = False) -> socket.socket:
    """A socket that is bound, for `Door.listen`. `early`: the address may come up after this process. Raises OSError."""
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in address:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if early:
            listener.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        raise _taken(error, address, port) from error
    return listener


def _taken(error: OSError, address: str, port: int) -> OSError:
    return OSError(error.errno, f"cannot listen on {host_header(address, port)}: {error.strerror}")


class Timed(Protocol):
    """A connection that waits for something until `deadline` (loop time), or for nothing: NEVER."""

    deadline: float

    def overdue(self) -> None:
        """The time for what was awaited is over."""


class Deadlines:
    """One timer for all connections of a server: one for each turn of each connection costs more than the turn."""

    def __init__(self, limits: Limits) -> None:
        self._every = limits.look
        self._watched: set[Timed] = set()
        self._timer: asyncio.TimerHandle | None = None

    def join(self, connection: Timed) -> None:
        self._watched.add(connection)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._every, self._look)

    def leave(self, connection: Timed) -> None:
        self._watched.discard(connection)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in list(self._watched):
            if connection.deadline < now:
                connection.deadline = NEVER
                connection.overdue()
        self._timer = loop.call_later(self._every, self._look) if self._watched else None
