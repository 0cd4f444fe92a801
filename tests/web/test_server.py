"""The server against clients of every sort: those that ask well, ask much, ask half, say nothing and read nothing."""

from __future__ import annotations

import asyncio
import gc
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from config import pki
from web.http1 import TEXT, Refusal
from web.limits import Limits
from web.server import Answer, Page, Request, Server, _Connection, routes, text

LIMITS = Limits(header_bytes=1000, header_count=10, body_bytes=1000)
HARSH = replace(LIMITS, header_seconds=0.1, body_seconds=0.1, idle_seconds=0.1, write_seconds=0.1, linger_seconds=0.1)
GET = b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n"
WAIT = 60.0  # what a test grants a machine that is busy

Story = Callable[[int], Awaitable[None]]


async def echo(request: Request) -> Answer:
    body = await request.read()
    return Answer(200, TEXT, f"{request.method} {request.path} {request.query}".encode() + body)


async def broken(request: Request) -> Answer:
    raise RuntimeError("a secret detail")


async def deaf(request: Request) -> Answer:
    """Answers without having read the body."""
    raise Refusal(401, "who are you?")


async def large(request: Request) -> Answer:
    return Answer(200, TEXT, b"x" * (8 << 20))


async def pieces(request: Request) -> Answer:
    async def made() -> AsyncIterator[bytes]:
        for piece in (b"one", b"", b"two"):
            yield piece

    return Answer(200, TEXT, made())


async def cut(request: Request) -> Answer:
    async def made() -> AsyncIterator[bytes]:
        yield b"one"
        raise RuntimeError("a secret detail")

    return Answer(200, TEXT, made())


PAGE = routes(
    {("GET", "/echo"): echo, ("POST", "/echo"): echo, ("GET", "/broken"): broken, ("POST", "/deaf"): deaf}
    | {("GET", f"/{page.__name__}"): page for page in (large, pieces, cut)}
)


def serving(story: Story, limits: Limits = LIMITS, page: Page = PAGE, tls: ssl.SSLContext | None = None) -> None:
    """`story` is told with the port of a server, on both loops that programs here use."""

    async def run() -> None:
        server = Server(page, limits)
        port = await server.listen("127.0.0.1", 0, tls)
        try:
            async with asyncio.timeout(WAIT):
                await story(port)
        finally:
            await server.close()

    for loop in (asyncio.new_event_loop, uvloop.new_event_loop):
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(run())


async def told(port: int, *sent: bytes, end: bool = False) -> bytes:
    """All that is answered until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in sent:
        writer.write(piece)
        await writer.drain()
    if end:
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


async def one(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of the next answer of a kept connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return int(head.split(b" ")[1]), await reader.readexactly(length)


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


# -- what is asked well --------------------------------------------------------------------------------------------------


def test_pages_by_method_and_path() -> None:
    async def story(port: int) -> None:
        head, _, body = (await told(port, b"GET /echo?a=1&b=%2F&c HTTP/1.0\r\n\r\n")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n") and body == b"GET /echo {'a': '1', 'b': '/', 'c': ''}"
        assert b"Connection: close" in head and b"Cache-Control: no-store" in head
        for request, expected, words in (
            (b"GET /other HTTP/1.0\r\n\r\n", 404, b"there are /echo, /broken, "),
            (b"PUT /echo HTTP/1.0\r\n\r\n", 405, b"use GET or POST\n"),
            (b"GET /broken HTTP/1.0\r\n\r\n", 500, b"the log of this process says more"),
            (b"POST /deaf HTTP/1.0\r\n\r\n", 401, b"who are you?\n"),
        ):
            answer = await told(port, request)
            assert status(answer) == expected and words in answer and b"secret" not in answer
        assert b"WWW-Authenticate: Bearer\r\n" in answer

    serving(story)


def test_a_connection_is_kept_and_requests_may_wait_in_it() -> None:
    async def story(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(GET)
            assert await one(reader) == (200, b"GET /echo {}")
        posts = [b"POST /echo?n=%d HTTP/1.1\r\nContent-Length: 2\r\n\r\n%02d" % (n, n) for n in range(50)]
        writer.write(b"".join(posts))
        assert [await one(reader) for _ in posts] == [(200, b"POST /echo {'n': '%d'}%02d" % (n, n)) for n in range(50)]
        writer.write(GET.replace(b"Host", b"Connection: close\r\nHost"))
        assert (await one(reader))[0] == 200 and await reader.read() == b""
        writer.close()

    serving(story)


def test_head_has_the_headers_of_get_alone() -> None:
    async def story(port: int) -> None:
        for path in (b"/echo", b"/pieces", b"/large"):
            answer = await told(port, b"HEAD %b HTTP/1.1\r\nConnection: close\r\n\r\n" % path)
            assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\n"), path
        assert b"Content-Length: %d\r\n" % (8 << 20) in answer

    serving(story)


def test_bodies_come_with_a_length_or_in_chunks_or_after_a_word_of_ours() -> None:
    chunks = b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"

    async def story(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /echo HTTP/1.1\r\n" + chunks)
        assert await one(reader) == (200, b"POST /echo {}hello")
        writer.write(b"POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hello")
        assert await one(reader) == (200, b"POST /echo {}hello")
        writer.write(b"POST /deaf HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert (await one(reader))[0] == 401, "who is refused is not asked for a body"
        assert await reader.read() == b""
        writer.close()

    serving(story)


def test_answers_in_pieces_come_as_they_are_made() -> None:
    steps: list[asyncio.Event] = []

    async def slow(request: Request) -> Answer:
        async def made() -> AsyncIterator[bytes]:
            yield b"one\n"
            await steps[0].wait()
            yield b"two\n"

        return Answer(200, TEXT, made())

    async def story(port: int) -> None:
        steps[:] = [asyncio.Event()]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Transfer-Encoding: chunked" in head and b"Content-Length" not in head
        assert await reader.readuntil(b"one\n\r\n") == b"4\r\none\n\r\n"
        steps[0].set()
        assert await reader.readexactly(len(b"4\r\ntwo\n\r\n0\r\n\r\n")) == b"4\r\ntwo\n\r\n0\r\n\r\n"
        writer.close()
        assert (await told(port, GET.replace(b"1.1", b"1.0"))).endswith(b"\r\n\r\none\ntwo\n"), "no chunks for HTTP/1.0"

    serving(story, page=slow)


def test_an_answer_that_fails_in_between_has_no_end(caplog: pytest.LogCaptureFixture) -> None:
    async def story(port: int) -> None:
        with caplog.at_level(logging.CRITICAL):
            try:
                answer = await told(port, b"GET /cut HTTP/1.1\r\n\r\n")
            except ConnectionResetError:
                return
            assert not answer.endswith(b"0\r\n\r\n") and b"secret" not in answer

    serving(story)


def test_who_leaves_ends_the_answer_that_is_made_for_them() -> None:
    ended: list[str] = []

    async def endless(request: Request) -> Answer:
        async def made() -> AsyncIterator[bytes]:
            try:
                yield b"one"
                await asyncio.Event().wait()
            finally:
                ended.append("yes")

        return Answer(200, TEXT, made())

    async def story(port: int) -> None:
        ended.clear()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        await reader.readuntil(b"one")
        writer.transport.abort()
        while not ended:
            await asyncio.sleep(0.001)

    serving(story, page=endless)


def test_who_will_say_no_more_is_answered() -> None:
    async def story(port: int) -> None:
        assert status(await told(port, GET, end=True)) == 200

    serving(story)


# -- what is too much ----------------------------------------------------------------------------------------------------


TOO_MUCH = [
    (b"nonsense\r\n\r\n", 400, b"no HTTP request"),
    (b"GET /echo HTTP/1.1\r\nA: " + b"x" * 70_000, 431, b"1000 bytes of headers"),
    (b"GET /echo HTTP/1.1\r\n" + b"A: b\r\n" * 70 + b"\r\n", 431, b"10 headers"),
    (b"POST /echo HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n", 413, b"at most 1000 bytes"),
    (b"POST /echo HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000, 413, b"at most 1000 bytes"),
    (b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n7d1\r\n" + b"x" * 2001, 413, b"at most 1000 bytes"),
    (b"POST /deaf HTTP/1.1\r\nContent-Length: 900\r\n\r\n" + b"x" * 100, 401, b"who are you"),
    (GET + b"nonsense\r\n\r\n", 200, b"no HTTP request"),
]


@pytest.mark.parametrize(("sent", "expected", "words"), TOO_MUCH)
def test_what_is_over_a_bound_is_told_and_ends(sent: bytes, expected: int, words: bytes) -> None:
    async def story(port: int) -> None:
        answer = await told(port, sent)
        assert status(answer) == expected and words in answer and b"Connection: close\r\n" in answer

    serving(story, replace(LIMITS, linger_seconds=0.2))


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("sent", [sent for sent, _, _ in TOO_MUCH])
def test_who_was_refused_leaves_nothing_to_be_collected(sent: bytes, no_collector: None) -> None:
    """A connection with TLS holds 256 KiB: a hundred that wait for the collector are 25 MiB."""

    async def story(port: int) -> None:
        await told(port, sent)
        while any(
            type(one) is _Connection for one in gc.get_objects()
        ):  # lazy objects of others look at themselves else
            await asyncio.sleep(0.01)

    serving(story, replace(LIMITS, linger_seconds=0.2))


@pytest.mark.parametrize(
    ("sent", "expected", "words"),
    [
        (b"GET /echo HTTP/1.1\r\nHost: h", 408, b"no whole request within 0.1 s"),
        (b"POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel", 408, b"no whole body within 0.1 s"),
        (GET, 200, b"GET /echo"),
        (GET + b"GET", 408, b"no whole request"),
    ],
)
def test_who_is_late_is_told_and_ends(sent: bytes, expected: int, words: bytes) -> None:
    async def story(port: int) -> None:
        answer = await told(port, sent)
        assert words in answer and b" %d " % expected in answer

    serving(story, HARSH)


def test_who_says_nothing_is_closed() -> None:
    async def story(port: int) -> None:
        assert await told(port) == b""

    serving(story, HARSH)


def test_a_byte_now_and_then_is_no_reason_to_wait() -> None:
    async def story(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer = asyncio.create_task(reader.read())
        writer.write(b"GET /echo HTTP/1.1\r\nA: ")
        while not answer.done():
            writer.write(b"x")
            await asyncio.sleep(0.01)
        try:
            assert status(await answer) == 408
        except ConnectionResetError:
            pass  # a byte came after the end
        writer.close()

    serving(story, HARSH)


def test_who_reads_nothing_is_cut() -> None:
    async def story(port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.transport.pause_reading()
        writer.write(GET.replace(b"/echo", b"/large"))
        while len(server._connections) == 0:
            await asyncio.sleep(0.001)
        while server._connections:
            await asyncio.sleep(0.001)
        writer.close()

    async def run() -> None:
        port = await server.listen("127.0.0.1", 0)
        async with asyncio.timeout(WAIT):
            await story(port)
        await server.close()

    server = Server(PAGE, HARSH)
    asyncio.run(run())


def test_connections_are_counted_in_all_and_by_address() -> None:
    async def story(port: int) -> None:
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for reader, writer in kept:
            writer.write(GET)
            await one(reader)
        answer = await told(port)
        assert status(answer) == 503 and b"127.0.0.1 has 2 connections open already\n" in answer
        other = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
        other[1].write(GET)
        assert (await one(other[0]))[0] == 200
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.3", 0))
        assert b"3 connections are open already\n" in await reader.read()
        writer.close()
        for _, writer in (*kept, other):
            writer.close()
        while True:  # a place that is given back may be taken
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET)
            answer = await reader.readuntil(b"\r\n\r\n")
            writer.close()
            if status(answer) == 200:
                break

    serving(story, replace(LIMITS, connections=3, per_address=2))


# -- TLS -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of the server, and of its clients."""
    folder: Path = tmp_path_factory.mktemp("pki")
    pki.make_all(folder, node="node", addresses=["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "kubelet.crt", folder / "kubelet.key")
    return context, ssl.create_default_context(cafile=str(folder / "ca.crt"))


def test_tls(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async def story(port: int) -> None:
        for turn in range(20):  # the request may come with the end of the handshake
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=contexts[1])
            for _ in range(2):
                writer.write(GET)
                assert await one(reader) == (200, b"GET /echo {}")
            if turn == 0:
                writer.write(GET.replace(b"/echo", b"/large"))
                assert len((await one(reader))[1]) == 8 << 20
            writer.transport.abort()
        assert await told(port, GET) == b"", "plain text is no TLS"

    serving(story, tls=contexts[0])


def test_a_handshake_that_is_not_made_ends(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async def story(port: int) -> None:
        assert await told(port) == b""
        assert await told(port, b"\x16\x03\x01") == b""

    serving(story, HARSH, tls=contexts[0])


def test_who_shakes_hands_counts(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async def story(port: int) -> None:
        _, silent = await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises((ConnectionError, ssl.SSLError)):
            while True:  # the silent one may not have been seen yet
                _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=contexts[1])
                writer.transport.abort()
        silent.close()

    serving(story, replace(LIMITS, connections=1), tls=contexts[0])


# -- the end -------------------------------------------------------------------------------------------------------------


def test_a_server_that_stops_answers_what_was_asked() -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Answer:
        begun.set()
        await go.wait()
        return text(200, "whole")

    async def run() -> None:
        server = Server(slow, LIMITS)
        port = await server.listen("127.0.0.1", 0)
        idle, busy = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        busy[1].write(GET)
        await begun.wait()
        closing = asyncio.create_task(server.close(WAIT))
        assert await idle[0].read() == b""
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)
        go.set()
        answer = await busy[0].read()
        assert answer.endswith(b"whole\n") and b"Connection: close" in answer
        await closing
        for _, writer in (idle, busy):
            writer.close()

    asyncio.run(asyncio.wait_for(run(), WAIT))


def test_a_server_that_stops_does_not_wait_for_ever() -> None:
    async def stuck(request: Request) -> Answer:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    begun = asyncio.Event()

    async def run() -> None:
        server = Server(stuck, LIMITS)
        port = await server.listen("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        await begun.wait()
        await server.close(0.01)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()

    asyncio.run(asyncio.wait_for(run(), WAIT))
