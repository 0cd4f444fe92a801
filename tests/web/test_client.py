"""The small connection: many requests over one, answers as a whole, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from web import blocking
from web.address import Place
from web.client import FAILURES, Connection, HttpSession
from web.http1 import NDJSON, ProtocolError
from web.server import Answer, Request, Server, text
from web.thread import LoopThread

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
            connection = await Connection.open(Place("127.0.0.1", server.sockets[0].getsockname()[1]))
            async with asyncio.timeout(60):
                await story(connection)
            connection.close()

    for loop in (asyncio.new_event_loop, uvloop.new_event_loop):
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(main())


async def said(connection: Connection) -> tuple[int, bytes]:
    response = await connection.ask(REQUEST)
    return response.status, response.body


def test_one_connection_takes_many_requests() -> None:
    async def story(connection: Connection) -> None:
        assert await said(connection) == (200, b"hello")
        assert await said(connection) == (404, b"hello")
        assert await said(connection) == (200, b"hello") and not connection.closed
        assert await said(connection) == (200, b"hello") and connection.closed
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
        connection.reader._limit = 4
        with pytest.raises(OSError, match="longer than 4 bytes"):
            await connection.ask(REQUEST)
        assert connection.closed

    talk([WHOLE], story)


async def page(request: Request) -> Answer:
    """Says what it was asked; `/lines` in pieces, `/cut` without its end."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one\n"
        if request.path == "/cut":
            raise RuntimeError
        yield b"two\n"

    if request.path in ("/lines", "/cut"):
        return Answer(200, NDJSON, pieces())
    return text(200, f"{request.method} {request.headers.get('who')} {(await request.read()).decode()}")


def asking(story: Callable[[Server, HttpSession, int], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def main() -> None:
        server = Server(page)
        port = await server.listen("127.0.0.1", 0)
        session = HttpSession(f"http://127.0.0.1:{port}", **options)
        async with asyncio.timeout(60):
            await story(server, session, port)
        session.close()
        await server.close()

    asyncio.run(main())


def test_a_session_keeps_its_connections_and_says_who_asks() -> None:
    async def story(server: Server, session: HttpSession, port: int) -> None:
        for method in ("GET", "POST", "HEAD"):
            answer = await session.request(method, "/", b"x" if method == "POST" else None)
            assert answer.status == 200
            assert answer.body == (b"" if method == "HEAD" else f"{method} me {'x' * (method == 'POST')}\n".encode())
        assert len(server._connections) == 1
        await asyncio.gather(*(session.request("GET", "/") for _ in range(20)))
        assert len(server._connections) <= 4

    asking(story, headers=lambda: {"Who": "me"}, connections=4)


def test_a_connection_that_the_server_has_closed_is_made_anew() -> None:
    async def story(server: Server, session: HttpSession, port: int) -> None:
        await session.request("GET", "/")
        for connection in list(server._connections):
            connection.abort()
        assert (await session.request("GET", "/")).status == 200

    asking(story)


def test_a_stream_comes_as_it_is_made_and_its_cut_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def story(server: Server, session: HttpSession, port: int) -> None:
        async with session.open("GET", "/lines", 60) as (answer, pieces):
            assert answer.status == 200 and b"".join([piece async for piece in pieces]) == b"one\ntwo\n"
        with pytest.raises(ConnectionResetError):
            async with session.open("GET", "/cut", 60) as (_, pieces):
                async for _ in pieces:
                    pass
        with pytest.raises(ConnectionResetError):
            await session.request("GET", "/cut")

    asking(story)


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    async def main() -> None:
        async with await asyncio.start_server(lambda r, w: asyncio.sleep(60), "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            session = HttpSession(f"http://127.0.0.1:{port}", timeout=0.05)
            with pytest.raises(TimeoutError):
                await session.request("GET", "/")
            with pytest.raises(TimeoutError):
                await asyncio.to_thread(blocking.request, f"http://127.0.0.1:{port}/", timeout=0.05)
            raise asyncio.CancelledError  # its handlers need not end

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


def test_from_a_thread_to_a_loop_in_a_thread() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    server = Server(page)
    thread = LoopThread(main, "served")
    thread.start()
    port = thread.call(server.listen("127.0.0.1", 0))
    url = f"http://127.0.0.1:{port}"
    answer = blocking.request(f"{url}/x", "POST", b"body", {"Who": "me"})
    assert (answer.status, answer.body) == (200, b"POST me body\n")
    assert blocking.request(f"{url}/lines").body == b"one\ntwo\n"
    with pytest.raises(ProtocolError, match="longer than 3 bytes"):
        blocking.request(f"{url}/lines", limit=3)
    with pytest.raises(ConnectionResetError):
        blocking.request(f"{url}/cut")
    thread.call(server.close())
    thread.stop()
    with pytest.raises(ConnectionError):
        blocking.request(url)


def test_what_is_no_address_is_refused() -> None:
    for url in ("", "ftp://h", "h:80", "http://"):
        with pytest.raises(ValueError, match="no address of a server"):
            HttpSession(url)
    request = HttpSession("http://user:p%40ss@h/prefix").address.request("GET", "/x", None)
    assert request == b"GET /prefix/x HTTP/1.1\r\nHost: h:80\r\nAuthorization: Basic dXNlcjpwQHNz\r\n\r\n"
