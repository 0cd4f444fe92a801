"""SPDY: the dictionary of the specification, frames both ways, ports and commands over streams."""

from __future__ import annotations

import asyncio
import json
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp import WSServerHandshakeError, web
from aiohttp.test_utils import TestClient, TestServer

from kubelet.server import channels
from kubelet.server.portforward_spdy import Forwarding
from kubelet.server.spdy import frames


def test_the_dictionary_is_that_of_the_specification() -> None:
    assert zlib.adler32(frames.DICTIONARY) == 0xE3C6A7C2


def test_frames_survive_any_cut_of_the_bytes() -> None:
    encoder, decoder = frames.Encoder(), frames.Decoder()
    data = encoder.syn_stream(1, {"streamtype": "data", "port": "80"}) + encoder.data(1, b"hello", fin=True)
    data += encoder.syn_stream(3, {"streamtype": "data", "port": "81"}) + encoder.ping(b"\0\0\0\7")
    found = [frame for byte in data for frame in decoder.feed(bytes([byte]))]
    assert [(f.kind, f.stream, f.flags) for f in found] == [
        (frames.SYN_STREAM, 1, 0),
        (frames.DATA, 1, frames.FIN),
        (frames.SYN_STREAM, 3, 0),
        (frames.PING, 0, 0),
    ]
    assert found[2].headers == {"streamtype": "data", "port": "81"}


@pytest.mark.parametrize(
    "data", [b"\x80\x02\0\1\0\0\0\0", b"\x80\x03\0\1\0\0\0\x0c" + b"x" * 12, b"\0\0\0\1\0\xff\xff\xff"]
)
def test_what_is_no_spdy_is_refused(data: bytes) -> None:
    with pytest.raises(frames.ProtocolError):
        list(frames.Decoder().feed(data))


class Client:
    """The client's side of a session, in memory."""

    def __init__(self) -> None:
        self.encoder, self._decoder = frames.Encoder(), frames.Decoder()
        self._out: asyncio.Queue[bytes] = asyncio.Queue()
        self.got: dict[int, bytes] = {}
        self.ended: set[int] = set()

    def write(self, data: bytes) -> None:
        self._out.put_nowait(data)

    async def chunks(self) -> AsyncIterator[bytes]:
        while data := await self._out.get():
            yield data

    async def send(self, data: bytes) -> None:
        for frame in self._decoder.feed(data):
            if frame.kind == frames.DATA:
                self.got[frame.stream] = self.got.get(frame.stream, b"") + frame.body
                if frame.flags & frames.FIN:
                    self.ended.add(frame.stream)

    def open(self, port: int) -> None:
        """Streams 1 (errors) and 3 (data)."""
        headers = {"port": str(port), "requestid": "0"}
        self.write(self.encoder.syn_stream(1, {"streamtype": "error", **headers}, fin=True))
        self.write(self.encoder.syn_stream(3, {"streamtype": "data", **headers}))

    async def finished(self) -> None:
        async with asyncio.timeout(60):
            while not {1, 3} <= self.ended:
                await asyncio.sleep(0.01)
        self.write(b"")


async def _forward(client: Client) -> None:
    async with asyncio.timeout(60):
        await asyncio.gather(Forwarding(client, "127.0.0.1", "default/web").run(), client.finished())


def test_a_connection_is_forwarded_both_ways_and_half_closed() -> None:
    async def upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())  # only after the client ended its side
        writer.close()

    async def run() -> Client:
        server = await asyncio.start_server(upper, "127.0.0.1", 0)
        client = Client()
        client.open(server.sockets[0].getsockname()[1])
        client.write(client.encoder.data(3, b"abc" * 100_000))
        client.write(client.encoder.data(3, b"", fin=True))
        await _forward(client)
        server.close()
        return client

    client = asyncio.run(run())
    assert client.got[3] == b"ABC" * 100_000
    assert client.got[1] == b""


def test_a_closed_port_is_told_on_the_error_stream() -> None:
    async def run() -> Client:
        client = Client()
        client.open(1)
        await _forward(client)
        return client

    assert b"error forwarding port 1 to pod default/web" in asyncio.run(run()).got[1]


async def _exec_app(request: web.Request) -> web.StreamResponse:
    """Answers the first message of standard input in capitals, and ends."""
    socket = await channels.open_streams(request)
    came: asyncio.Queue[bytes] = asyncio.Queue()

    async def data(channel: int, payload: bytes) -> None:
        came.put_nowait(payload)

    incoming = asyncio.create_task(channels.receive(socket, data, lambda channel: None))
    first = asyncio.create_task(came.get())
    await asyncio.wait([incoming, first], return_when=asyncio.FIRST_COMPLETED)
    if first.done():
        await channels.send(socket, channels.STDOUT, first.result().upper())
    incoming.cancel()
    first.cancel()
    await asyncio.gather(incoming, first, return_exceptions=True)
    await channels.finish(socket, channels.exit_status(3))
    return socket


async def _exec_over_spdy(protocol: str) -> tuple[bytes, Client]:
    app = web.Application()
    app.router.add_post("/exec", _exec_app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
    writer.write(
        b"POST /exec?stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: Upgrade\r\n"
        b"Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: " + protocol.encode() + b"\r\n\r\n"
    )
    head, client = await reader.readuntil(b"\r\n\r\n"), Client()
    if b" 101 " in head:
        for number, kind in ((1, "error"), (3, "stdin"), (5, "stdout")):
            writer.write(client.encoder.syn_stream(number, {"streamtype": kind}))
        writer.write(client.encoder.data(3, b"hello") + client.encoder.data(3, b"", fin=True))
        while data := await reader.read(4096):
            await client.send(data)
    writer.close()
    await runner.cleanup()
    return head, client


async def _within(seconds: float, protocol: str) -> tuple[bytes, Client]:
    async with asyncio.timeout(seconds):
        return await _exec_over_spdy(protocol)


def test_a_command_over_spdy_looks_like_one_over_a_websocket() -> None:
    head, client = asyncio.run(_within(60, "v4.channel.k8s.io"))
    assert head.startswith(b"HTTP/1.1 101 ") and b"X-Stream-Protocol-Version: v4.channel.k8s.io" in head
    assert client.got[5] == b"HELLO"
    assert json.loads(client.got[1])["details"]["causes"][0]["message"] == "3"
    assert {1, 3, 5} <= client.ended


@pytest.mark.parametrize("protocol", ["v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"])
def test_older_protocols_are_told_the_end_in_words(protocol: str) -> None:
    head, client = asyncio.run(_within(60, f"unknown, {protocol}"))
    assert f"X-Stream-Protocol-Version: {protocol}\r\n".encode() in head
    assert client.got[5] == b"HELLO"
    assert client.got[1] == b"command terminated with non-zero exit code: exit status 3"


def test_other_protocols_of_commands_are_refused() -> None:
    head, _ = asyncio.run(_within(60, "v9.channel.k8s.io"))
    assert head.startswith(b"HTTP/1.1 403 ")


async def _over_websocket(protocol: str, message: bytes | str) -> list[bytes | str]:
    app = web.Application()
    app.router.add_get("/exec", _exec_app)
    async with TestClient(TestServer(app)) as client:
        offered = [protocol] if protocol else []
        async with client.ws_connect("/exec?stdin=1&stdout=1", protocols=offered) as socket:
            await (socket.send_str(message) if isinstance(message, str) else socket.send_bytes(message))
            return [message.data async for message in socket]


STATUS = orjson.dumps(channels.exit_status(3))
WORDS = b"command terminated with non-zero exit code: exit status 3"


@pytest.mark.parametrize(
    ("protocol", "end"),
    [
        ("v5.channel.k8s.io", STATUS),
        ("v4.channel.k8s.io", STATUS),
        ("v3.channel.k8s.io", WORDS),
        ("v2.channel.k8s.io", WORDS),
        ("channel.k8s.io", WORDS),
        ("", WORDS),
    ],
)
def test_a_command_over_each_binary_protocol(protocol: str, end: bytes) -> None:
    got = asyncio.run(_over_websocket(protocol, b"\0hello"))
    assert got == [b"\1", b"\1HELLO", b"\3" + end]


@pytest.mark.parametrize(("protocol", "end"), [("base64.channel.k8s.io", WORDS), ("v4.base64.channel.k8s.io", STATUS)])
def test_a_command_over_each_text_protocol(protocol: str, end: bytes) -> None:
    got = asyncio.run(_over_websocket(protocol, "0" + b64encode(b"hello").decode()))
    assert got == ["1", "1" + b64encode(b"HELLO").decode(), "3" + b64encode(end).decode()]


def test_text_that_is_no_base64_ends_the_input() -> None:
    assert len(asyncio.run(_over_websocket("base64.channel.k8s.io", "0hel~~~"))) == 2  # that it stands, and the end


def test_a_websocket_of_unknown_protocols_is_refused() -> None:
    with pytest.raises(WSServerHandshakeError, match="403"):
        asyncio.run(_over_websocket("v9.channel.k8s.io", b"\0x"))
