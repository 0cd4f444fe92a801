"""/attach: what a container writes from now on.  Containers of this runtime read no input."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import web

from kubelet import podspec
from kubelet.logs.reader import Options, stream
from kubelet.server import channels
from kubelet.server.containers import agent, running, start


async def handle(request: web.Request) -> web.StreamResponse:
    found, wanted = running(request)
    run = start(request, found, wanted["name"], previous=False)
    assert run is not None, "running() found it"
    socket = await channels.open_socket(request)
    runtime, uid = agent(request).runtime, podspec.uid(found)

    def alive() -> bool:
        state = runtime.state(uid)
        return state is not None and any(c.id == run.id and c.running for c in state.containers)

    async def send(name: str, channel: int) -> None:
        async for chunk in stream(run.log, Options(follow=True, tail=0, stream=name), alive):
            await socket.send_bytes(bytes([channel]) + chunk)

    async def ignore(channel: int, payload: bytes) -> None:
        return

    incoming = asyncio.create_task(channels.receive(socket, ignore, lambda channel: None))

    async def both() -> None:
        await asyncio.gather(send("stdout", channels.STDOUT), send("stderr", channels.STDERR))

    output = asyncio.create_task(both())
    await asyncio.wait([incoming, output], return_when=asyncio.FIRST_COMPLETED)
    with contextlib.suppress(ConnectionError):
        if output.done():
            await channels.finish(socket, channels.exit_status(0))
    incoming.cancel()
    output.cancel()
    await asyncio.gather(incoming, output, return_exceptions=True)
    return socket
