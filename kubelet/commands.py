"""Running a command in a container and reading what it says."""

from __future__ import annotations

import asyncio
import os

from kubelet.runtimes.base import Runtime

MAX_OUTPUT = 10 * 1024


async def run(
    runtime: Runtime, uid: str, name: str, command: list[str], timeout: float | None, limit: int = MAX_OUTPUT
) -> tuple[int, bytes]:
    """(exit code, output and errors together, cut at `limit` bytes); TimeoutError after killing it, or StartError."""
    read, write = os.pipe()
    null = os.open("/dev/null", os.O_RDONLY)
    output = bytearray()
    try:
        process = await runtime.exec(uid, name, command, (null, write, write))
    except BaseException:
        os.close(read)
        raise
    finally:
        os.close(write)
        os.close(null)
    reader = asyncio.create_task(_collect(read, output, limit))
    try:
        async with asyncio.timeout(timeout):
            code = await process.wait()
    except (TimeoutError, asyncio.CancelledError):
        process.close()
        reader.cancel()
        raise
    # A background process of the command may hold the pipe open: its output is not waited for.
    done, _ = await asyncio.wait([reader], timeout=0.5)
    if not done:
        reader.cancel()
    return code, bytes(output)


async def _collect(fd: int, output: bytearray, limit: int) -> None:
    loop = asyncio.get_running_loop()
    stream = asyncio.StreamReader()
    file = os.fdopen(fd, "rb", 0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), file)
    try:
        while chunk := await stream.read(64 * 1024):
            output += chunk[: max(0, limit - len(output))]
    finally:
        transport.close()
