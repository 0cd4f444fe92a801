"""/exec and /run: a command in a container."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import web

from kube.pods import podutil
from kubelet.commands import run as run_command
from kubelet.runtimes.base import Exec, StartError
from kubelet.server import channels
from kubelet.server.containers import agent, flag, running
from kubelet.server.pipes import Streams

RUN_LIMIT, RUN_SECONDS = 1024 * 1024, 60.0


async def run(request: web.Request) -> web.Response:
    """`?cmd=` is split at blanks; the output is the answer."""
    found, wanted = running(request)
    command = request.query.get("cmd", "").split()
    if not command:
        raise web.HTTPBadRequest(text="the query parameter cmd is missing\n")
    try:
        code, output = await run_command(
            agent(request).runtime, podutil.uid(found), wanted["name"], command, RUN_SECONDS, RUN_LIMIT
        )
    except StartError as error:  # there is no such program, or it may not be run
        raise web.HTTPBadRequest(text=f"{error}\n") from error
    except TimeoutError as error:
        raise web.HTTPGatewayTimeout(text="the command took too long\n") from error
    return web.Response(body=output, headers={"X-Exit-Code": str(code)})


async def handle(request: web.Request) -> web.StreamResponse:
    """The streaming protocol of `kubectl exec`; the command is in `command`, once for each word."""
    found, wanted = running(request)
    command = request.query.getall("command", [])
    if not command:
        raise web.HTTPBadRequest(text="you must specify at least 1 command for the container\n")
    socket = await channels.open_streams(request)
    tty = flag(request, "tty")
    streams = Streams(tty, flag(request, "stdin") or flag(request, "input"))
    try:
        process = await agent(request).runtime.exec(podutil.uid(found), wanted["name"], command, streams.child, tty)
    except StartError as error:
        streams.handed_over()
        streams.close()
        await channels.finish(socket, channels.failure(str(error)))
        return socket
    streams.handed_over()
    try:
        await _converse(socket, streams, process)
    finally:
        process.close()
        streams.close()
    return socket


async def _converse(socket: channels.Socket, streams: Streams, process: Exec) -> None:
    async def data(channel: int, payload: bytes) -> None:
        if channel == channels.STDIN:
            await streams.write(payload)
        elif channel == channels.RESIZE and (size := channels.size_of(payload)):
            streams.resize(*size)

    incoming = asyncio.create_task(channels.receive(socket, data, lambda channel: streams.end_input()))
    output = [asyncio.create_task(channels.pump(socket, channels.STDOUT, await streams.reader("out")))]
    if "err" in streams.names():
        output.append(asyncio.create_task(channels.pump(socket, channels.STDERR, await streams.reader("err"))))
    ended = asyncio.create_task(process.wait())
    try:
        await asyncio.wait([incoming, ended], return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            return  # the client went away; the command is killed with the connection
        # What the command wrote last is sent before its exit code; a background child may keep the pipe open.
        await asyncio.wait(output, timeout=1.0)
        with contextlib.suppress(ConnectionError):
            await channels.finish(socket, channels.exit_status(ended.result()))
    finally:
        for task in (incoming, ended, *output):
            task.cancel()
        await asyncio.gather(incoming, ended, *output, return_exceptions=True)
