"""/portForward: TCP connections to a pod's ports.

kubectl speaks SPDY, on the connection or within a WebSocket; other clients the channels of a WebSocket: for the n-th
port asked for, channel 2n carries data and 2n+1 errors; the first message on each is the port number, two bytes,
little endian.
"""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import web

from kube.pods import podutil
from kubelet.server import channels
from kubelet.server.containers import agent, pod
from kubelet.server.portforward_spdy import Forwarding
from kubelet.server.spdy import carrier
from web.address import port_of

PROTOCOL = "portforward.k8s.io"


async def handle(request: web.Request) -> web.StreamResponse:
    found = pod(request)
    state = agent(request).runtime.state(podutil.uid(found))
    if state is None or not state.ready:
        raise web.HTTPBadRequest(text=f"pod {podutil.full_name(found)} is not running\n")
    address = agent(request).options.address if found["spec"].get("hostNetwork") else state.ip
    if carrier.tunnelled(request):
        carried, tunnel = await carrier.WebSocketCarrier.open(request)
        await Forwarding(carried, address, podutil.full_name(found)).run()
        return tunnel
    if carrier.plain(request):
        connection = carrier.ConnectionCarrier.open(request, {"X-Stream-Protocol-Version": PROTOCOL})
        await Forwarding(connection, address, podutil.full_name(found)).run()
        return carrier.Answered()
    text = ",".join([*request.query.getall("ports", []), *request.query.getall("port", [])])
    ports = [port for part in text.split(",") if (port := port_of(part))]
    if not ports:
        raise web.HTTPBadRequest(text="the query parameter ports has to name at least one port\n")
    socket = await channels.open_socket(request)
    forward = Forward(socket, address, ports)
    try:
        await forward.run()
    finally:
        forward.close()
    return socket


class Forward:
    """The connections behind one WebSocket."""

    def __init__(self, socket: channels.Socket, address: str, ports: list[int]) -> None:
        self._socket, self._address, self._ports = socket, address, ports
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        for index, port in enumerate(self._ports):
            for channel in (2 * index, 2 * index + 1):
                await channels.send(self._socket, channel, port.to_bytes(2, "little"))
            try:
                reader, writer = await asyncio.open_connection(self._address, port)
            except OSError as error:
                text = f"error forwarding port {port} to pod: {error}"
                await channels.send(self._socket, 2 * index + 1, text.encode())
                continue
            self._writers[2 * index] = writer
            self._tasks.append(asyncio.create_task(channels.pump(self._socket, 2 * index, reader)))
        await channels.receive(self._socket, self._data, self._end)

    async def _data(self, channel: int, payload: bytes) -> None:
        writer = self._writers.get(channel)
        if writer is not None and not writer.is_closing():
            with contextlib.suppress(ConnectionError):
                writer.write(payload)
                await writer.drain()

    def _end(self, channel: int) -> None:
        writer = self._writers.pop(channel, None)
        if writer is not None and writer.can_write_eof():
            writer.write_eof()

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for writer in self._writers.values():
            writer.close()
