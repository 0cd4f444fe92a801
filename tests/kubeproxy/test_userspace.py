"""The userspace backend with real sockets on loopback addresses; needs no privileges."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kubeproxy.rules import Endpoint, ServicePort
from kubeproxy.userspace import Userspace
from tests.ports import free_port

CLUSTER_IP = "127.96.7.7"


def service(port: int, *endpoints: int, affinity: int = 0, protocol: str = "TCP") -> ServicePort:
    where = tuple(Endpoint("127.0.0.1", number) for number in endpoints)
    return ServicePort("w/s:", protocol, port, (CLUSTER_IP,), (), 0, affinity, where, where)


async def named_server(name: str) -> tuple[asyncio.Server, int]:
    """Echoes what it is sent behind its name, after the client has ended its half."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read()
        writer.write(name.encode() + data)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def ask(port: int, data: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_connection(CLUSTER_IP, port)
    writer.write(data)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return answer


def run(test: Callable[[Userspace, int], Awaitable[None]]) -> None:
    async def go() -> None:
        proxy = Userspace("127.0.0.1")
        try:
            await test(proxy, free_port())
        finally:
            await proxy.close()

    asyncio.run(go())


def test_connections_are_spread_and_half_closes_pass() -> None:
    async def test(proxy: Userspace, port: int) -> None:
        (a, at_a), (b, at_b) = await named_server("a"), await named_server("b")
        await proxy.sync([service(port, at_a, at_b)])
        large = b"x" * 1_000_000
        answers = [await ask(port, large) for _ in range(4)]
        assert {answer[:1] for answer in answers} == {b"a", b"b"}
        assert all(answer[1:] == large for answer in answers)
        a.close()
        b.close()

    run(test)


def test_an_endpoint_that_does_not_answer_is_passed_over() -> None:
    async def test(proxy: Userspace, port: int) -> None:
        a, at_a = await named_server("a")
        await proxy.sync([service(port, free_port(), at_a)])
        assert [await ask(port) for _ in range(4)] == [b"a"] * 4
        a.close()

    run(test)


def test_affinity_keeps_a_client_at_its_endpoint() -> None:
    async def test(proxy: Userspace, port: int) -> None:
        (a, at_a), (b, at_b) = await named_server("a"), await named_server("b")
        await proxy.sync([service(port, at_a, at_b, affinity=60)])
        assert len({await ask(port) for _ in range(6)}) == 1
        a.close()
        b.close()

    run(test)


def test_without_endpoints_a_connection_is_reset() -> None:
    async def test(proxy: Userspace, port: int) -> None:
        await proxy.sync([service(port)])
        with pytest.raises(ConnectionError):
            reader, _ = await asyncio.open_connection(CLUSTER_IP, port)
            if await reader.read() == b"":
                raise ConnectionResetError

    run(test)


def test_a_removed_service_no_longer_listens() -> None:
    async def test(proxy: Userspace, port: int) -> None:
        a, at_a = await named_server("a")
        await proxy.sync([service(port, at_a)])
        await proxy.sync([])
        with pytest.raises(ConnectionRefusedError):
            await ask(port)
        a.close()

    run(test)


def test_an_address_in_use_is_had_once_it_is_free() -> None:
    async def test(proxy: Userspace, port: int) -> None:
        a, at_a = await named_server("a")
        with socket.create_server((CLUSTER_IP, port)):
            await proxy.sync([service(port, at_a)])
            why = "another program of this machine has the port: end it, or choose another port"
            assert proxy.complaints() == [(service(port, at_a), f"cannot listen on TCP {CLUSTER_IP}:{port}: {why}")]
            await proxy.sync([service(port, at_a)])
            assert proxy.complaints() == [], "told once"
        await proxy.sync([service(port, at_a)])
        assert await ask(port) == b"a"
        a.close()

    run(test)


def test_datagrams_go_there_and_back() -> None:
    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.transport.sendto(b"echo " + data, addr)

    async def test(proxy: Userspace, port: int) -> None:
        loop = asyncio.get_running_loop()
        echo, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        await proxy.sync([service(port, echo.get_extra_info("sockname")[1], protocol="UDP")])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            await loop.sock_connect(client, (CLUSTER_IP, port))
            for word in (b"one", b"two"):
                await loop.sock_sendall(client, word)
                assert await asyncio.wait_for(loop.sock_recv(client, 100), 60) == b"echo " + word
        echo.close()

    run(test)
