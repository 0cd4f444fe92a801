"""Talking to shims and to the zygote that forks them."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubelet.runtimes.base import StartError

MESSAGE = 64 * 1024
ZYGOTE = Path(__file__).resolve().parents[2] / "shim" / "zygote.py"
PROBE = ZYGOTE.with_name("probe.py")


async def probe() -> dict[str, bool]:
    """What namespaces this user can make here (see shim/probe.py)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(PROBE), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    found: dict[str, bool] = json.loads(output)
    return found


class Zygote:
    """Starts shims; started itself when first needed, and again after its death."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._socket: socket.socket | None = None
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._next = 0
        self._starting = asyncio.Lock()

    async def _open(self) -> socket.socket:
        async with self._starting:
            if self._socket is not None:
                return self._socket
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.setblocking(False)
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-I", "-S", str(ZYGOTE), str(theirs.fileno()), pass_fds=[theirs.fileno()]
                )
            self._socket = ours
            asyncio.get_running_loop().add_reader(ours, self._receive, ours)
            return ours

    def _receive(self, ours: socket.socket) -> None:
        try:
            data = ours.recv(MESSAGE)
        except OSError:
            data = b""
        if data:
            answer = json.loads(data)
            future = self._waiting.pop(answer["id"], None)
            if future is not None and not future.done():
                future.set_result(answer)
            return
        self.close()

    async def fork(self, directory: str) -> int:
        """The pid of a shim that is ready in `directory`."""
        ours = await self._open()
        self._next += 1
        number = self._next
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        ours.send(json.dumps({"id": number, "dir": directory}).encode())
        try:
            async with asyncio.timeout(20):
                answer = await future
        finally:
            self._waiting.pop(number, None)
        if "error" in answer:
            raise OSError(answer["error"])
        return int(answer["pid"])

    def close(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(OSError("the process that starts pods ended; it is started again"))
        self._waiting.clear()


async def connect(directory: str) -> socket.socket:
    """A connection to the shim of a pod's directory; OSError when it is gone."""
    folder = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    try:
        # A socket's path holds 108 bytes, a pod's directory may be longer.
        await asyncio.get_running_loop().sock_connect(sock, f"/proc/self/fd/{folder}/shim.sock")
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(folder)
    return sock


async def receive(sock: socket.socket) -> dict[str, Any]:
    data = await asyncio.get_running_loop().sock_recv(sock, MESSAGE)
    if not data:
        raise ConnectionResetError("the pod's shim closed the connection")
    message: dict[str, Any] = json.loads(data)
    return message


async def call(directory: str, request: dict[str, Any], timeout: float = 20.0) -> dict[str, Any]:
    """One request, one answer; an error answer raises OSError."""
    sock = await connect(directory)
    with sock:
        sock.send(json.dumps(request).encode())
        async with asyncio.timeout(timeout):
            answer = await receive(sock)
    if "error" in answer:
        raise OSError(answer["error"])
    return answer


async def attach(directory: str, folder: str, fds: tuple[int, int]) -> int:
    """The container's output goes to `fds` too; returns a descriptor for its input, -1 when it has none."""
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    sock = await connect(directory)
    with sock:
        socket.send_fds(sock, [json.dumps({"op": "attach", "folder": folder}).encode()], list(fds))
        loop.add_reader(sock, readable.set)
        try:
            async with asyncio.timeout(20):
                await readable.wait()
        finally:
            loop.remove_reader(sock)
        data, received, _, _ = socket.recv_fds(sock, MESSAGE, 1, socket.MSG_CMSG_CLOEXEC)
    answer = json.loads(data or b'{"error": "the shim closed the connection"}')
    if "error" in answer:
        raise StartError(answer["error"])
    return received[0] if received else -1


class Watch:
    """Calls `changed()` for each container that ended, `lost()` once when the shim is gone."""

    def __init__(self, sock: socket.socket, changed: Callable[[], None], lost: Callable[[], None]) -> None:
        self._sock, self._changed, self._lost = sock, changed, lost
        asyncio.get_running_loop().add_reader(sock, self._ready)

    @classmethod
    async def open(cls, directory: str, changed: Callable[[], None], lost: Callable[[], None]) -> Watch:
        sock = await connect(directory)
        sock.send(b'{"op": "watch"}')
        return cls(sock, changed, lost)

    def _ready(self) -> None:
        try:
            data = self._sock.recv(MESSAGE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._changed()
            return
        self.close()
        self._lost()

    def close(self) -> None:
        if self._sock.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._sock)
            self._sock.close()


class ShimExec:
    """A command in a container; closing the connection kills it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    @classmethod
    async def start(cls, directory: str, request: dict[str, Any], fds: tuple[int, int, int]) -> ShimExec:
        sock = await connect(directory)
        try:
            socket.send_fds(sock, [json.dumps(request).encode()], list(fds))
            async with asyncio.timeout(20):
                answer = await receive(sock)
            if "error" in answer:
                raise StartError(answer["error"])
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    async def wait(self) -> int:
        with self._sock:
            return int((await receive(self._sock))["exit"])

    def close(self) -> None:
        self._sock.close()
