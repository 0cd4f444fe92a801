"""The backend without privileges: listens on each service address and passes connections and datagrams on.

An address can be listened on when it is local: in 127.0.0.0/8 always, elsewhere when the caller made it local.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from kubeproxy.rules import Endpoint, ServicePort
from web.door import Door, bound
from web.limits import Limits

log = logging.getLogger("kubeproxy.userspace")

CONNECT_TIMEOUT = 5.0  # seconds per endpoint before the next one is tried
CHUNK = 1 << 16  # bytes read at a time: bounds what a slow receiver makes us hold
UDP_IDLE = 60.0  # seconds until a silent client's association is forgotten
MAX_UDP_CLIENTS = 4096
# Of one address and port of a service. All pods may share one address; conntrack forgets what is silent for a day as well.
LIMITS = Limits(connections=1024, per_address=768, idle_seconds=86400.0)

Listen = tuple[str, str, int]  # protocol, address, port


class Balancer:
    """Chooses endpoints of one service port: round robin from a random start, or by client address."""

    def __init__(self) -> None:
        self.port: ServicePort | None = None
        self.endpoints: Sequence[Endpoint] = ()
        self._next = random.randrange(1 << 16)
        self._clients: dict[str, tuple[Endpoint, float]] = {}

    def update(self, port: ServicePort, endpoints: Sequence[Endpoint]) -> None:
        self.port, self.endpoints = port, endpoints

    def order(self, client: str) -> list[Endpoint]:
        """The endpoints in the order to try them for a client."""
        if not self.endpoints:
            return []
        self._next += 1
        start = self._next % len(self.endpoints)
        turn = [*self.endpoints[start:], *self.endpoints[:start]]
        kept = self._clients.get(client)
        if kept and kept[0] in self.endpoints and kept[1] > time.monotonic():
            turn.remove(kept[0])
            turn.insert(0, kept[0])
        return turn

    def chosen(self, client: str, endpoint: Endpoint) -> None:
        """Remember who served a client, where the service asks for it."""
        seconds = self.port.affinity_seconds if self.port else 0
        if not seconds:
            return
        if len(self._clients) >= 65535:
            now = time.monotonic()
            self._clients = {c: kept for c, kept in self._clients.items() if kept[1] > now}
        self._clients[client] = (endpoint, time.monotonic() + seconds)


class TcpForwarder:
    """Listens on one address; each connection goes to one endpoint, to the next one when that does not answer."""

    def __init__(self, balancer: Balancer) -> None:
        self.balancer = balancer
        self._door = Door(self._protocol, LIMITS)
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, address: str, port: int) -> None:
        await self._door.listen(bound(address, port))

    def close(self) -> None:
        self._door.close()
        for writer in list(self._open):
            writer.close()

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(CHUNK), self._accept)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = writer.get_extra_info("peername")[0]
        self._open.add(writer)
        try:
            reached = await self._connect(client)
            if reached is None:
                writer.transport.abort()  # a reset: what a packet filter would answer
                return
            await _pump_both((reader, writer), reached)
        except OSError as error:
            log.debug("connection of %s: %s", client, error)
        finally:
            self._open.discard(writer)
            writer.close()

    async def _connect(self, client: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for endpoint in self.balancer.order(client):
            try:
                pair = await asyncio.wait_for(
                    asyncio.open_connection(endpoint.ip, endpoint.port, limit=CHUNK), CONNECT_TIMEOUT
                )
            except (OSError, TimeoutError):
                continue
            self.balancer.chosen(client, endpoint)
            return pair
        return None


Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _pump_both(client: Pair, endpoint: Pair) -> None:
    """Until both have ended, or neither has said anything for IDLE seconds: as long as the kernel would remember them."""
    loop = asyncio.get_running_loop()
    last = loop.time()

    def moved() -> None:
        nonlocal last
        last = loop.time()

    async def idle() -> None:
        while (left := last + LIMITS.idle_seconds - loop.time()) > 0:
            await asyncio.sleep(left)
        for _, writer in (client, endpoint):
            writer.transport.abort()

    watch = asyncio.ensure_future(idle())
    try:
        await asyncio.gather(_pump(client[0], endpoint[1], moved), _pump(endpoint[0], client[1], moved))
    finally:
        watch.cancel()
        endpoint[1].close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, moved: Callable[[], None]) -> None:
    """Copy one direction; pass on the end of the stream, so that half-closed connections work."""
    try:
        while data := await reader.read(CHUNK):
            moved()
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()


class UdpForwarder(asyncio.DatagramProtocol):
    """Passes datagrams on; each client keeps its endpoint and a socket of its own until it is silent for a while."""

    def __init__(self, balancer: Balancer) -> None:
        self.balancer = balancer
        self._transport: asyncio.DatagramTransport | None = None
        self._clients: dict[tuple[str, int], _UdpClient] = {}

    async def start(self, address: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(address, port))

    def close(self) -> None:
        for client in list(self._clients.values()):
            client.close()
        if self._transport:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        client = self._clients.get(addr)
        if client is None:
            targets = self.balancer.order(addr[0])
            if not targets or self._transport is None or len(self._clients) >= MAX_UDP_CLIENTS:
                return  # datagrams may be lost; unbounded memory may not
            self.balancer.chosen(addr[0], targets[0])
            client = self._clients[addr] = _UdpClient(self._transport, addr, lambda: self._clients.pop(addr, None))
            client.connect(targets[0])
        client.send(data)


class _UdpClient(asyncio.DatagramProtocol):
    """The way back for one client."""

    def __init__(self, back: asyncio.DatagramTransport, address: tuple[str, int], forget: Callable[[], Any]) -> None:
        self._back, self._address, self._forget = back, address, forget
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def connect(self, endpoint: Endpoint) -> None:
        self._task = asyncio.ensure_future(self._open(endpoint))

    async def _open(self, endpoint: Endpoint) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._transport, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=endpoint[:2])
        except OSError:
            self._forget()
            return
        for data in self._waiting:
            self._transport.sendto(data)
        self._waiting.clear()
        self._touch()

    def send(self, data: bytes) -> None:
        if self._transport:
            self._transport.sendto(data)
            self._touch()
        elif len(self._waiting) < 16:
            self._waiting.append(data)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._back.sendto(data, self._address)
        self._touch()

    def error_received(self, exc: Exception) -> None:
        self.close()  # the endpoint refused: the client's next datagram chooses another

    def _touch(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(UDP_IDLE, self.close)

    def close(self) -> None:
        self._forget()
        if self._timer:
            self._timer.cancel()
        if self._transport:
            self._transport.close()


class Userspace:
    """Keeps a listener for each address of the service ports given to `sync`."""

    def __init__(self, node_address: str, *, cluster_ips: bool = True) -> None:
        self.node_address, self.cluster_ips = node_address, cluster_ips
        self._running: dict[Listen, tuple[Balancer, TcpForwarder | UdpForwarder]] = {}
        self._refused: dict[Listen, str] = {}
        self._complaints: list[tuple[ServicePort, str]] = []

    async def sync(self, ports: Sequence[ServicePort]) -> None:
        """Listen for exactly these ports. An address that cannot be listened on is told once and tried again."""
        wanted: dict[Listen, tuple[ServicePort, Sequence[Endpoint]]] = {}
        for port in ports:
            if port.protocol in ("TCP", "UDP"):
                if self.cluster_ips:
                    for address in port.addresses:
                        wanted[port.protocol, address, port.port] = port, port.internal
                if port.node_port:
                    wanted[port.protocol, self.node_address, port.node_port] = port, port.external
        for where in self._running.keys() - wanted.keys():
            self._running.pop(where)[1].close()
        for where, (port, endpoints) in wanted.items():
            if where not in self._running:
                await self._listen(where, port)
            if where in self._running:
                self._running[where][0].update(port, endpoints)

    def complaints(self) -> list[tuple[ServicePort, str]]:
        """What could not be listened on, and why; each reason is told once."""
        found, self._complaints = self._complaints, []
        return found

    async def _listen(self, where: Listen, port: ServicePort) -> None:
        protocol, address, number = where
        balancer = Balancer()
        forwarder = TcpForwarder(balancer) if protocol == "TCP" else UdpForwarder(balancer)
        try:
            await forwarder.start(address, number)
        except OSError as error:
            if isinstance(error, PermissionError):
                reason = "ports below 1024 need root"
            elif error.errno == errno.EADDRINUSE:
                reason = "another program of this machine has the port: end it, or choose another port"
            else:
                reason = os.strerror(error.errno or 0)
            why = f"cannot listen on {protocol} {address}:{number}: {reason}"
            if self._refused.get(where) != why:
                self._refused[where] = why
                self._complaints.append((port, why))
                log.warning("%s: %s", port.name, why)
            return
        self._refused.pop(where, None)
        self._running[where] = (balancer, forwarder)

    async def close(self) -> None:
        for _, forwarder in self._running.values():
            forwarder.close()
        self._running.clear()
