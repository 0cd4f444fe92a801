"""/attach: what a container writes from now on, and its standard input."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from aiohttp import web

from kube.pods import podutil
from kubelet.runtimes.base import StartError
from kubelet.server import channels
from kubelet.server.containers import agent, flag, running
from kubelet.server.pipes import Streams


async def handle(request: web.Request) -> web.StreamResponse:
    found, wanted = running(request)
    runtime, uid, name = agent(request).runtime, podutil.uid(found), wanted["name"]
    socket = await channels.open_streams(request)
    streams = Streams(tty=False, stdin=False)
    try:
        streams.set_input(await runtime.attach(uid, name, streams.child[1:]), bool(wanted.get("tty")))
    except StartError as error:
        streams.handed_over()
        streams.close()
        await channels.finish(socket, channels.failure(str(error)))
        return socket
    streams.handed_over()
    takes_input = flag(request, "stdin") and bool(wanted.get("stdin"))

    async def end_input() -> None:
        streams.end_input()
        if takes_input and wanted.get("stdinOnce"):
            await runtime.end_input(uid, name)

    try:
        await _converse(socket, streams, takes_input, end_input)
    finally:
        await end_input()
        streams.close()
    return socket


async def _converse(
    socket: channels.Socket, streams: Streams, takes_input: bool, end_input: Callable[[], Awaitable[None]]
) -> None:
    closing: set[asyncio.Task[None]] = set()

    def closed(channel: int) -> None:
        if channel == channels.STDIN:
            closing.add(asyncio.ensure_future(end_input()))

    async def data(channel: int, payload: bytes) -> None:
        if channel == channels.STDIN and takes_input:
            await streams.write(payload)
        elif channel == channels.RESIZE and (size := channels.size_of(payload)):
            streams.resize(*size)

    incoming = asyncio.create_task(channels.receive(socket, data, closed))
    out, err = await streams.reader("out"), await streams.reader("err")

    async def both() -> None:
        await asyncio.gather(channels.pump(socket, channels.STDOUT, out), channels.pump(socket, channels.STDERR, err))

    output = asyncio.create_task(both())
    await asyncio.wait([incoming, output], return_when=asyncio.FIRST_COMPLETED)
    with contextlib.suppress(ConnectionError):
        if output.done():
            await channels.finish(socket, channels.exit_status(0))
    incoming.cancel()
    output.cancel()
    await asyncio.gather(incoming, output, *closing, return_exceptions=True)
