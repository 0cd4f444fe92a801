"""The small connection: many requests over one, answers as a whole, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from client.wire import FAILURES, Connection

REQUEST = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKS = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"


def talk(answers: list[bytes], story: Callable[[Connection], Coroutine[Any, Any, None]]) -> None:
    """`story` with a connection to a server that gives these answers in turn, byte by byte, and then closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            for at in range(len(answer)):
                writer.write(answer[at : at + 1])
                await writer.drain()
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            connection = await Connection.open("127.0.0.1", server.sockets[0].getsockname()[1], None)
            async with asyncio.timeout(60):
                await story(connection)
            connection.close()

    for loop in (asyncio.new_event_loop, uvloop.new_event_loop):
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(main())


def test_one_connection_takes_many_requests() -> None:
    async def story(connection: Connection) -> None:
        assert await connection.ask(REQUEST) == (200, b"hello")
        assert await connection.ask(REQUEST) == (404, b"hello")
        assert await connection.ask(REQUEST) == (200, b"hello") and not connection.closed
        assert await connection.ask(REQUEST) == (200, b"hello") and connection.closed
        with pytest.raises(ConnectionResetError):
            await connection.ask(REQUEST)

    talk([WHOLE, CHUNKS, WHOLE, LAST], story)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", b"SSH-2.0-x\r\n\r\n"])
def test_what_is_no_answer_is_a_failure(answer: bytes) -> None:
    async def story(connection: Connection) -> None:
        with pytest.raises(FAILURES):
            await connection.ask(REQUEST)
        assert connection.closed

    talk([answer], story)


def test_an_answer_without_end_is_refused() -> None:
    async def story(connection: Connection) -> None:
        connection._limit = 4
        with pytest.raises(OSError, match="longer than 4 bytes"):
            await connection.ask(REQUEST)
        assert connection.closed

    talk([WHOLE], story)
