"""Junk on the kubelet's port and streams, over TLS: it serves on, and nothing of it fills the log."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import random
import ssl
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config.pki import Authority
from kubelet.server import app as server
from kubelet.server import channels
from kubelet.server.spdy import frames
from web.aio import Site
from web.limits import configured

CONNECTIONS = 300
POD = {"metadata": {"namespace": "ns", "name": "p", "uid": "u"}, "spec": {"containers": [{"name": "c"}]}}


class Command:
    """A command that never ends."""

    async def wait(self) -> int:
        await asyncio.Event().wait()
        return 0

    def close(self) -> None:
        """Nothing was started."""


class Runtime:
    """One running container, whose commands do nothing."""

    def state(self, uid: str) -> Any:
        return SimpleNamespace(ready=True, ip="127.0.0.1", latest=lambda name: SimpleNamespace(running=True))

    async def exec(self, *_: Any) -> Command:
        return Command()

    async def attach(self, *_: Any) -> int:
        return -1

    async def end_input(self, *_: Any) -> None:
        """There is none."""


def frame(code: int, payload: bytes, first: int = 0x80, mask: int = 0x80) -> bytes:
    """A frame of a WebSocket, masked with zeros."""
    length = (
        bytes([mask | len(payload)]) if len(payload) < 126 else bytes([mask | 126]) + len(payload).to_bytes(2, "big")
    )
    return bytes([first | code]) + length + (bytes(4) if mask else b"") + payload


def websocket_junk(rnd: random.Random) -> bytes:
    return rnd.choice(
        [
            rnd.randbytes(200),
            frame(1, b"\xff\xfe"),
            frame(2, b"\x04not json"),
            frame(2, b"\x04[]"),
            frame(2, b'\x04{"Width":"x","Height":null}'),
            frame(2, b'\x04{"Width":99999999999,"Height":-4}'),
            frame(2, rnd.randbytes(20), first=0xC0),
            frame(2, rnd.randbytes(20), mask=0),
            frame(8, rnd.randbytes(rnd.randrange(3))),
            frame(9, rnd.randbytes(200)),
            b"\x82\xff" + b"\xff" * 8,
            frame(2, bytes([rnd.choice([0, 1, 2, 3, 5, 99, 255])]) + rnd.randbytes(rnd.randrange(5))),
        ]
    )


def spdy_junk(rnd: random.Random, encoder: frames.Encoder) -> bytes:
    kind, port = rnd.choice(["error", "data", "stdin", "resize", "x", ""]), rnd.choice(["1", "²", "9" * 5000, "-1", ""])
    return rnd.choice(
        [
            rnd.randbytes(300),
            b"\x80\x03\0\1\0\0\0\x0c" + rnd.randbytes(12),
            encoder.syn_stream(rnd.randrange(9), {"streamtype": kind, "port": port}),
            encoder.data(rnd.randrange(9), b"junk", fin=True),
            encoder.reset(rnd.randrange(9), 1),
            encoder.ping(rnd.randbytes(3)),
            encoder.goaway(0),
            b"\x80\x03\0\4\0\0\0\0",
            b"\0\0\0\1\0\xff\xff\xff",
            b"\x80\x03\0\1\0\0\0\4\0\0\0\1",
        ]
    )


def upgrade(rnd: random.Random, path: str, way: str) -> bytes:
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
    if way == "spdy":
        protocol = rnd.choice(["v4.channel.k8s.io", "portforward.k8s.io"])
        return f"{head}Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: {protocol}\r\n\r\n".encode()
    protocol = "SPDY/3.1+portforward.k8s.io" if way == "tunnel" else rnd.choice(["v4.channel.k8s.io", "no such"])
    key = base64.b64encode(rnd.randbytes(16)).decode()
    return (
        f"{head}Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        f"Sec-WebSocket-Protocol: {protocol}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    ).encode()


PLAIN = (
    b"GET /exec HTTP/9.9\r\n\r\n",
    b"POST /exec/\xff HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"\0\0\0\r\n\r\n",
    b"POST /pods HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /containerLogs/ns/p/c?tailLines=\xc2\xb2 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET " + b"/x" * 9000 + b" HTTP/1.1\r\n\r\n",
)
PATHS = (
    "/exec/ns/p/c?command=cat&stdin=1&stdout=1&tty=1",
    "/exec/ns/p/c?command=cat&input=1&output=1&error=1",
    "/attach/ns/p/c?stdin=1&stdout=1",
    "/portForward/ns/p?ports=1",
    "/portForward/ns/p?port=%C2%B2",
)


async def disturb(rnd: random.Random, port: int, trust: ssl.SSLContext) -> None:
    """One connection of junk, which ends in one of the ways that connections end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
    way, encoder = rnd.choice(["socket", "tunnel", "spdy", "spdy", "plain"]), frames.Encoder()
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        writer.write(rnd.choice(PLAIN) if way == "plain" else upgrade(rnd, rnd.choice(PATHS), way))
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 0.5)
        if way == "spdy" and rnd.random() < 0.6:
            kinds = enumerate(("error", "stdin", "stdout", "resize"))
            writer.write(b"".join(encoder.syn_stream(2 * number + 1, {"streamtype": kind}) for number, kind in kinds))
        for _ in range(rnd.randrange(1, 6)):
            if writer.is_closing():  # our own writes must not be what the log tells of
                break
            junk = websocket_junk(rnd) if way == "socket" else spdy_junk(rnd, encoder)
            writer.write(frame(2, junk) if way == "tunnel" else junk)
            await asyncio.sleep(0)
        if rnd.random() < 0.3:
            await asyncio.wait_for(reader.read(4096), 0.1)
    if rnd.random() < 0.5:
        writer.transport.abort()
    writer.close()


async def run(folder: Path, seed: int, complaints: list[str]) -> int:
    """The status of a good request after all that."""
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(str(told)))
    pods = SimpleNamespace(items={("ns", "p"): POD})
    options = SimpleNamespace(node_name="n1", address="127.0.0.1")
    agent: Any = SimpleNamespace(client=None, pods=pods, runtime=Runtime(), options=options)
    site = Site(server.build(agent), configured())
    context = server.tls(str(folder / "server.crt"), str(folder / "server.key"), str(folder / "ca.crt"))
    port = await site.start(["127.0.0.1"], 0, context)
    trust = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    rnd, some = random.Random(seed), asyncio.Semaphore(16)

    async def one() -> None:
        async with some:
            await disturb(rnd, port, trust)

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
    writer.write(b"GET /portForward/ns/p HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    status = int((await reader.readline()).split()[1])
    writer.close()
    await site.close()
    return status


@pytest.mark.parametrize("seed", range(3))
def test_junk_fills_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    Authority(tmp_path).issue("server", "kubelet", names=["127.0.0.1"])

    async def anybody(guard: object, request: Any, path: str, node: str, handler: Callable[[Any], Any]) -> Any:
        return await handler(request)

    monkeypatch.setattr(server, "guarded", anybody)
    caplog.set_level(logging.INFO)
    complaints: list[str] = []
    assert asyncio.run(run(tmp_path, seed, complaints)) == 400
    assert complaints == []
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.parametrize(
    ("payload", "size"),
    [
        (b'{"Width":100,"Height":40}', (100, 40)),
        (b"{}", (80, 24)),
        (b"not json", None),
        (b"[]", None),
        (b'{"Width":"100","Height":40}', None),
        (b'{"Width":100000,"Height":40}', None),
        (b'{"Width":-1,"Height":40}', None),
    ],
)
def test_what_is_no_size_of_a_terminal_changes_nothing(payload: bytes, size: tuple[int, int] | None) -> None:
    assert channels.size_of(payload) == size
