"""UDP and TCP."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from typing import cast

from dnsserver.server import Channel, Server
from web.door import NEVER, Deadlines, Door, bound
from web.limits import Limits

log = logging.getLogger("dnsserver")

BUFFER = 4 << 20  # bytes of the UDP socket's buffer that are asked for; the kernel may give less
MAX_PENDING = 64  # questions of one connection that are not answered yet, before no more are read
# `header_seconds`: for one whole question; behind kube-proxy in userspace all pods ask from one address.
LIMITS = Limits(header_seconds=10.0, idle_seconds=10.0, write_seconds=10.0, connections=512, per_address=256)


class Datagrams(asyncio.DatagramProtocol):
    """The fast path: an answer that is packed already goes out without the question being looked at."""

    def __init__(self, server: Server, family: str) -> None:
        self._server = server
        self._channel = Channel("udp", family, server.new_cache())
        assert self._channel.cache is not None
        self._entries = self._channel.cache.entries

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sendto = cast(asyncio.DatagramTransport, transport).sendto

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        entry = self._entries.get(data[2:])
        if entry is None:
            self._server.ask(data, self._channel, lambda answer: self._sendto(answer, addr))
            return
        entry.hits += 1
        tails = entry.tails
        self._sendto(data[:2] + (tails[0] if len(tails) == 1 else tails[entry.hits % len(tails)]), addr)

    def error_received(self, exc: Exception) -> None:
        log.debug("an asker went away: %s", exc)


class Connection(asyncio.Protocol):
    """One TCP connection: questions with their length before them, answered in the order they are ready."""

    def __init__(self, server: Server, deadlines: Deadlines) -> None:
        self._server, self._deadlines = server, deadlines
        self._pending, self._blocked = 0, False
        self._data = bytearray()
        self._loop = asyncio.get_running_loop()
        self.deadline = NEVER

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._channel = Channel("tcp", family_of(transport.get_extra_info("sockname")[0]))
        self._deadlines.join(self)
        self._await(LIMITS.idle_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadlines.leave(self)

    def _await(self, seconds: float) -> None:
        self.deadline = self._loop.time() + seconds

    def overdue(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if not self._data:
            self._await(LIMITS.header_seconds)
        self._data += data
        self._next()
        if not self._data:
            self._await(LIMITS.idle_seconds)

    def _next(self) -> None:
        while len(self._data) >= 2 and self._pending < MAX_PENDING and not self._blocked:
            size = struct.unpack_from("!H", self._data)[0]
            if len(self._data) < 2 + size:
                break
            packet = bytes(self._data[2 : 2 + size])
            del self._data[: 2 + size]
            self._await(LIMITS.header_seconds)
            self._pending += 1
            if not self._server.ask(packet, self._channel, self._answer):
                self._transport.abort()  # not a DNS question: not a DNS client
                return
        self._hold()

    def _hold(self) -> None:
        """Stop reading from a client that does not read its answers, or asks faster than they come."""
        if self._blocked or self._pending >= MAX_PENDING:
            self._transport.pause_reading()
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    def _answer(self, answer: bytes) -> None:
        was_full = self._pending >= MAX_PENDING
        self._pending -= 1
        if not self._transport.is_closing():
            self._transport.write(struct.pack("!H", len(answer)) + answer)
            if was_full:
                asyncio.get_running_loop().call_soon(self._next)

    def pause_writing(self) -> None:
        self._blocked = True
        self._await(LIMITS.write_seconds)
        self._hold()

    def resume_writing(self) -> None:
        self._blocked = False
        self._await(LIMITS.idle_seconds)
        self._next()


class Listeners:
    """UDP and TCP on any number of addresses; connections are counted over all of them."""

    def __init__(self, server: Server) -> None:
        self._server = server
        deadlines = Deadlines(LIMITS)
        self._door = Door(lambda: Connection(server, deadlines), LIMITS)

    async def listen(self, address: str, port: int) -> None:
        """Raises OSError with the address in it."""
        version = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            datagrams = socket.socket(version, socket.SOCK_DGRAM)
            if version == socket.AF_INET6:
                datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            datagrams.setblocking(False)
            datagrams.bind((address, port))
        except OSError as error:
            raise OSError(error.errno, f"cannot listen on {address} port {port}: {error.strerror or error}") from error
        await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Datagrams(self._server, family_of(address)), sock=datagrams
        )
        await self._door.listen(bound(address, port))


def family_of(address: str) -> str:
    """As dnstap and the metrics of CoreDNS number them."""
    return "2" if ":" in address else "1"
