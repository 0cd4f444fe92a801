"""What nobody in particular can do to any program of ours that listens: each as a process, each attack against all."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from tests.conftest import ROOT
from tests.web import listeners
from tests.web.listeners import Listening

pytestmark = pytest.mark.serial

MIB = 1 << 20
WAIT = 60.0  # what a test grants a machine that is busy
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[listeners.World]:
    with listeners.world(tmp_path_factory.mktemp("listening")) as made:
        yield made


_started: dict[str, Listening] = {}


@pytest.fixture(params=listeners.PROGRAMS, ids=lambda program: program.__name__)
def at(world: listeners.World, request: pytest.FixtureRequest) -> Listening:
    name = request.param.__name__
    if name not in _started:
        _started[name] = request.param(world)
        asyncio.run(_answers(_started[name]))
    return _started[name]


HTTP = pytest.mark.parametrize(
    "at", [p for p in listeners.PROGRAMS if p not in (listeners.dns, listeners.forwarding)], indirect=True,
    ids=lambda program: program.__name__,
)  # fmt: skip


ATTACKER = "127.0.0.2"  # an address of its own: the programs of the test, which ask one another, come from 127.0.0.1


async def connected(at: Listening, local: str = ATTACKER) -> Client:
    return await asyncio.open_connection("127.0.0.1", at.port, ssl=at.context(), local_addr=(local, 0))


async def _answers(at: Listening, local: str = ATTACKER) -> None:
    """Wait until it answers who asks well."""
    async with asyncio.timeout(WAIT):
        while True:
            try:
                reader, writer = await connected(at, local)
                if not at.http:
                    writer.close()
                    return
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                if (await reader.read()).startswith(b"HTTP/1.1 "):
                    return
            except OSError:
                pass
            await asyncio.sleep(0.1)


async def told(reader: asyncio.StreamReader) -> bytes:
    """All that is said until the end, however it comes."""
    found = b""
    with contextlib.suppress(OSError):
        while piece := await reader.read(4096):
            found += piece
    return found


async def say(client: Client, pieces: AsyncIterator[bytes]) -> tuple[int, bytes]:
    """Send until nobody listens; how many bytes that were, and what was answered."""
    reader, writer = client
    answer, sent = asyncio.ensure_future(told(reader)), 0
    try:
        async for piece in pieces:
            writer.write(piece)
            drained = asyncio.ensure_future(writer.drain())
            await asyncio.wait([drained, answer], return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                drained.cancel()
                await asyncio.gather(drained, return_exceptions=True)
                break
            sent += len(piece)
        return sent, await answer
    except OSError:
        return sent, await answer
    finally:
        writer.transport.abort()


def under_attack(
    at: Listening, attack: Callable[[], Awaitable[None]], stall: float = 10.0, grown: int = 48 * MIB
) -> None:
    """The attack; meanwhile whoever asks well is answered within `stall` seconds, and memory stays within `grown` bytes."""
    waits: list[float] = []

    async def others() -> None:
        while True:
            began = time.monotonic()
            await _answers(at, "127.0.0.3")
            waits.append(time.monotonic() - began)
            most.append(at.resident())
            await asyncio.sleep(0.02)

    async def run() -> None:
        await _answers(at)
        before.append(at.resident())
        beside = asyncio.create_task(others())
        async with asyncio.timeout(WAIT):
            await attack()
        waits.append(0.0)
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)
        await _answers(at)

    before: list[int] = []
    most: list[int] = [at.resident()]
    asyncio.run(run())
    most.append(at.resident())
    print(f"{at.name}: {max(waits) * 1e3:.0f} ms, {(max(most) - before[0]) / MIB:.1f} MiB")
    assert max(waits) < stall
    assert max(most) - before[0] < grown


def refused(answer: bytes, *statuses: int) -> None:
    """It was said, or the connection ended under what was still being sent."""
    assert not answer or int(answer.split(b" ")[1]) in statuses, answer[:200]


@HTTP
def test_a_header_of_60_megabytes(at: Listening) -> None:
    async def header() -> AsyncIterator[bytes]:
        yield b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "
        for _ in range(60 * 16):
            yield b"x" * (MIB // 16)

    async def attack() -> None:
        sent, answer = await say(await connected(at), header())
        refused(answer, 431)
        assert sent < 60 * MIB, "all was taken"

    under_attack(at, attack)


@HTTP
def test_200_megabytes_of_headers(at: Listening) -> None:
    async def headers() -> AsyncIterator[bytes]:
        yield b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        for number in range(10 * 64):
            yield b"X-%d: " % number + b"x" * (MIB // 64) + b"\r\n"

    async def attack() -> None:
        for sent, answer in await asyncio.gather(*[say(await connected(at), headers()) for _ in range(20)]):
            refused(answer, 431, 408)  # a busy machine may take its time to send so much
            assert sent < 10 * MIB, "all was taken"

    under_attack(at, attack)


@HTTP
def test_more_headers_than_anybody_sends_are_refused_by_name(at: Listening) -> None:
    async def story() -> None:
        for head in (b"X: y\r\n" * 150, b"X: " + b"y" * 100_000 + b"\r\n"):
            reader, writer = await connected(at)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + head + b"\r\n")
            answer = await told(reader)
            assert answer.split(b" ")[1:2] == [b"431"], answer[:200]
            writer.transport.abort()

    asyncio.run(asyncio.wait_for(story(), WAIT))


@HTTP
def test_half_requests_do_not_stay(at: Listening) -> None:
    async def attack() -> None:
        clients = []
        for number in range(24):
            clients.append(await connected(at))
            clients[-1][1].write(b"GET /healthz HTTP/1.1\r\nHost: 127"[: number * 4])  # the first says nothing at all
        answers = await asyncio.gather(*(told(reader) for reader, _ in clients))
        assert answers[0] == b""
        for answer in answers[2:]:
            assert answer.startswith(b"HTTP/1.1 408 "), answer[:200]
        for _, writer in clients:
            writer.close()

    under_attack(at, attack)


@HTTP
def test_a_body_that_comes_too_slowly(at: Listening) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield f"{at.post} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {at.token}\r\n".encode()
        yield b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
        for _ in range(900):
            yield b"{"
            await asyncio.sleep(0.1)

    async def attack() -> None:
        sent, answer = await say(await connected(at), body())
        # Some answer without having read it, and end then.
        refused(answer, 408, *((401, 403, 404, 405, 503) if at.name != "api" else ()))
        assert sent < 600

    under_attack(at, attack)


@HTTP
def test_requests_without_end_that_nobody_waits_for(at: Listening) -> None:
    async def requests() -> AsyncIterator[bytes]:
        for _ in range(600):
            yield b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 1000

    async def attack() -> None:
        with contextlib.suppress(TimeoutError):  # who answers them all, one after another, does no wrong
            async with asyncio.timeout(10):
                await asyncio.gather(*[say(await connected(at), requests()) for _ in range(8)])

    under_attack(at, attack)


def test_many_connections_from_one_address(at: Listening) -> None:
    async def story() -> None:
        most = at.per_address + 40
        made = await asyncio.gather(*(connected(at) for _ in range(most)), return_exceptions=True)
        clients = [one for one in made if not isinstance(one, BaseException)]
        ends = [asyncio.ensure_future(told(reader)) for reader, _ in clients]
        while most - len(clients) + sum(end.done() for end in ends) < 40:  # those too many are told to go
            await asyncio.sleep(0.05)
        await _answers(at, "127.0.0.3")  # another is not shut out
        for end in ends:
            end.cancel()
        for _, writer in clients:
            writer.transport.abort()
        await _answers(at)  # and neither is this one, when it has left

    asyncio.run(asyncio.wait_for(story(), WAIT))


def test_a_question_that_does_not_end(world: listeners.World) -> None:
    async def story() -> None:
        at = listeners.dns(world)
        await _answers(at)
        reader, writer = await connected(at)
        writer.write(b"\x00")
        ended = asyncio.ensure_future(told(reader))
        began = time.monotonic()
        while not ended.done():  # a byte now and then is no reason to wait
            with contextlib.suppress(OSError):
                writer.write(b"\x20")
            await asyncio.sleep(0.5)
        assert time.monotonic() - began < 30 and ended.result() == b""

    asyncio.run(asyncio.wait_for(story(), WAIT))


# Where a socket may be told to listen: the one home, and what is no stream of strangers. The shim's socket of a pod is in a
# folder that is its own user's, with a mode that says so.
HOMES = {"web/door.py", "kubelet/shim/pod.py"}
OPENS = re.compile(
    r"\.(listen\(\d|listen\(\)|listen\(BACKLOG)|start_server\(|start_unix_server\(|create_server\(|create_unix_server\("
    r"|TCPSite\(|UnixSite\(|uvicorn\.Server\(|uvicorn\.run\(|HTTPServer\("
)


def test_nobody_listens_beside_the_door() -> None:
    sources = [path.relative_to(ROOT) for path in ROOT.rglob("*.py")]
    ours = [
        path for path in sources if path.parts[0] not in (".venv", "build", "node_modules", "tests", "bench", "var")
    ]
    assert {str(path) for path in ours if OPENS.search((ROOT / path).read_text())} == HOMES
