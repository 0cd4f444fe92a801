from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from client import healthz

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _asked(serve: Serve, timeout: float = 60.0) -> str:
    """What is made of a server's answer."""

    async def story() -> str:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        why = await healthz.ask(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/healthz", timeout=timeout)
        server.close()
        return why

    return asyncio.run(story())


def _says(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET /healthz HTTP/1.1\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    return serve


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nok", ""),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", ""),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", ""),
        (b"HTTP/1.1 500 Broken\r\n\r\n", "answers 500"),
        (
            b"HTTP/1.1 500 Broken\r\nX: y\r\n\r\nthe log was last read 9 s ago\nmore\n",
            "answers 500: the log was last read 9 s ago",
        ),
        (
            b"HTTP/1.1 500 Broken\r\n\r\n[+]ping ok\n[-]etcd failed: away\n[-]log failed: late\nreadyz check failed\n",
            "answers 500: etcd failed: away; log failed: late",
        ),
        (b"HTTP/1.1 500 Broken\r\n\r\n" + b"x" * 100_000, "answers 500: " + "x" * healthz.MAX_REASON),
        (b"\xff\x00\r\n", "answers nothing"),
        (b"", "answers nothing"),
        (b"y" * 100_000, "does not answer (ValueError)"),
    ],
)
def test_what_is_made_of_answers(answer: bytes, why: str) -> None:
    assert _asked(_says(answer)) == why


def test_who_accepts_and_says_nothing_is_noticed() -> None:
    why = _asked(lambda reader, writer: asyncio.sleep(3600), timeout=0.3)
    assert why == "does not answer (TimeoutError)"


def test_nobody_there() -> None:
    assert asyncio.run(healthz.ask("http://127.0.0.1:1/healthz")) == "does not answer (ConnectionRefusedError)"


def test_where_the_pages_are() -> None:
    assert healthz.page("kubelet", 6443, "10.244.0.1") == "https://10.244.0.1:10250/healthz"
    assert healthz.page("scheduler", 6443, "10.244.0.1") == "https://127.0.0.1:13300/healthz"
