"""A client as thin as possible, so that what is measured is the server: HTTP/1.1 over one TLS connection, kept alive."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """A server and an administrator's token."""

    port: int
    token: str
    ca: Path

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))


class Connection:
    """One connection; one request at a time."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {target.token}\r\n"

    async def open(self) -> Connection:
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self.target.port, ssl=self.target.context(), limit=1 << 26
        )
        return self

    async def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        accept: str = "application/json",
        content_type: str = "application/json",
    ) -> bytes:
        """The body of the answer; raises RuntimeError on a status of 300 or more."""
        self.send(method, path, body, accept, content_type)
        status, length, chunked = await self.head()
        data = await self._chunks() if chunked else await self.reader.readexactly(length)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {data[:300]!r}")
        return data

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        accept: str = "application/json",
        content_type: str = "application/json",
    ) -> None:
        head = (
            f"{method} {path} HTTP/1.1\r\n{self._head}Accept: {accept}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + body)

    async def head(self) -> tuple[int, int, bool]:
        """Status, content length and whether the body comes in chunks."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        length, chunked = 0, False
        for line in lines[1:]:
            if line.startswith(b"content-length:"):
                length = int(line[15:])
            elif line.startswith(b"transfer-encoding:"):
                chunked = b"chunked" in line
        return int(lines[0].split()[1]), length, chunked

    async def chunk(self) -> bytes:
        """One chunk of a streamed body; empty at its end."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        data = await self.reader.readexactly(size)
        await self.reader.readexactly(2)
        return data

    async def _chunks(self) -> bytes:
        parts = []
        while data := await self.chunk():
            parts.append(data)
        return b"".join(parts)

    def close(self) -> None:
        self.writer.close()
