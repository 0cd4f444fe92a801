"""The ends of a command's standard streams: pipes, or a pseudo-terminal."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import termios


class Streams:
    """`child` are the descriptors for the command; they are closed here once it has them (`handed_over()`)."""

    def __init__(self, tty: bool, stdin: bool) -> None:
        self._tty = tty
        if tty:
            master, slave = pty.openpty()
            self.child = (slave, slave, slave)
            self._master: int | None = master
            self._ours = {"in": os.dup(master), "out": master}
        else:
            self._master = None
            in_read, in_write = os.pipe() if stdin else (os.open("/dev/null", os.O_RDONLY), -1)
            out_read, out_write = os.pipe()
            err_read, err_write = os.pipe()
            self.child = (in_read, out_write, err_write)
            self._ours = {"in": in_write, "out": out_read, "err": err_read}
        self._transports: list[asyncio.BaseTransport] = []
        self._writer: asyncio.StreamWriter | None = None

    def set_input(self, fd: int, tty: bool) -> None:
        """Input goes to `fd` (-1: nowhere), which is closed in the end; a terminal can be resized and has no end."""
        self._tty = tty
        self._master = fd if tty and fd >= 0 else None
        self._ours["in"] = fd

    def names(self) -> set[str]:
        """Those of `in`, `out`, `err` that are still to be opened."""
        return set(self._ours)

    def handed_over(self) -> None:
        for fd in set(self.child):
            os.close(fd)

    async def reader(self, name: str) -> asyncio.StreamReader:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        file = os.fdopen(self._ours.pop(name), "rb", 0)
        transport, _ = await loop.connect_read_pipe(lambda: _Ending(reader), file)
        self._transports.append(transport)
        return reader

    async def write(self, data: bytes) -> None:
        """To the command's standard input; dropped when it no longer reads."""
        if self._writer is None:
            if self._ours.get("in", -1) < 0:
                return
            loop = asyncio.get_running_loop()
            file = os.fdopen(self._ours.pop("in"), "wb", 0)
            transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, file)
            self._writer = asyncio.StreamWriter(transport, protocol, None, loop)
        if self._writer.is_closing():  # a transport that is written to then says so in the log
            return
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    def end_input(self) -> None:
        """The command reads end of file."""
        if self._tty:
            return
        if self._writer is not None:
            self._writer.close()
        elif self._ours.get("in", -1) >= 0:
            os.close(self._ours.pop("in"))

    def resize(self, width: int, height: int) -> None:
        if self._master is not None:
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        for transport in self._transports:
            transport.close()
        for fd in self._ours.values():
            if fd >= 0:
                os.close(fd)
        self._ours.clear()


class _Ending(asyncio.StreamReaderProtocol):
    """A terminal whose other side closed reports EIO: that is its end of file."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__(reader)
        self._end = reader

    def connection_lost(self, error: Exception | None) -> None:
        if not self._end.at_eof():
            self._end.feed_eof()
        super().connection_lost(None)
