"""Calls to what is behind this server (kubelets, services, pods): plain requests as streams, upgrades as raw bytes."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import httptools

from apiserver.response import Stream, Taken
from client.paths import kubelet_port
from cluster.audit.events import STARTED
from kube.errors import ServiceUnavailable

if TYPE_CHECKING:
    from apiserver.protocol import Tunnel
    from apiserver.request import Request
    from kube.shapes import NodeLike

Header = tuple[bytes, bytes]

CONNECT_TIMEOUT = 10.0
CHUNK = 64 * 1024
MAX_HEAD = 256 * 1024
KUBELET_PORT = 10250
_KUBELET_ADDRESSES = ("InternalIP", "Hostname", "ExternalIP")  # of a node, the first that it has
# What belongs to one hop, or says who the caller is here: not passed on.
_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
_PRIVATE = frozenset({b"authorization", b"host", b"content-length", b"expect"})


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect. `tls` None means plain HTTP; `name`: what the certificate must say, if not the host."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    name: str = ""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@lru_cache(maxsize=4)
def kubelet_tls(pki: Path) -> ssl.SSLContext:
    """TLS to kubelets, with this server's client certificate. Nodes are known by the authority, not by their address."""
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.check_hostname = False
    context.load_cert_chain(pki / "apiserver-kubelet-client.crt", pki / "apiserver-kubelet-client.key")
    return context


def kubelet_target(node: NodeLike, pki: Path) -> Target:
    """Where a node says that its kubelet is. Raises ServiceUnavailable."""
    status = node.get("status") or {}
    addresses = {a["type"]: a["address"] for a in reversed(status.get("addresses") or ())}
    address = next((addresses[kind] for kind in _KUBELET_ADDRESSES if kind in addresses), None)
    if address is None:
        raise ServiceUnavailable(f"no preferred addresses found; known addresses: {sorted(addresses)}")
    return Target(address, kubelet_port(node) or KUBELET_PORT, kubelet_tls(pki))


@lru_cache(maxsize=1)
def unverified_tls() -> ssl.SSLContext:
    """TLS to pods and services, whose certificates nobody here can know; as the real proxy does it."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def connect(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection. Raises ServiceUnavailable."""
    try:
        opening = asyncio.open_connection(
            target.host, target.port, ssl=target.tls, server_hostname=target.name or None, limit=CHUNK
        )
        return await asyncio.wait_for(opening, CONNECT_TIMEOUT)
    except (OSError, TimeoutError) as error:
        raise ServiceUnavailable(f"error trying to reach service: dial tcp {target}: {error or 'timed out'}") from error


def passed_on(headers: Iterable[Header], extra: Iterable[Header] = ()) -> list[Header]:
    """The headers of a request that its backend gets too."""
    return [
        (name, value)
        for name, value in headers
        if name not in _HOP and name not in _PRIVATE and not name.startswith(b"impersonate-")
    ] + list(extra)


def head(method: str, path: str, target: Target, headers: Iterable[Header]) -> bytes:
    """The first lines of a request."""
    lines = [f"{method} {path} HTTP/1.1\r\nHost: {target}\r\n".encode("latin-1")]
    lines += [name + b": " + value + b"\r\n" for name, value in headers]
    return b"".join([*lines, b"\r\n"])


class _Parsed:
    """Collects what httptools finds in an answer; hints such as 103, which may come before it, are passed over."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.headers: list[Header] = []
        self.body: list[bytes] = []
        self.ready = self.done = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.ready = self.parser.get_status_code() >= 200
        if not self.ready:
            self.headers = []

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.done = self.ready


class Exchange:
    """One request to a backend and its answer; the connection is closed at the end."""

    def __init__(self, target: Target) -> None:
        self.target, self._method = target, ""
        self._parsed = _Parsed()

    async def start(
        self, method: str, path: str, headers: list[Header], body: AsyncIterator[bytes] | None = None
    ) -> None:
        """Send the request and read the head of the answer. Raises ServiceUnavailable."""
        self._method = method
        self._reader, self._writer = await connect(self.target)
        length = next((value for name, value in headers if name == b"content-length"), None)
        chunked = body is not None and length is None
        extra = [(b"connection", b"close"), *([(b"transfer-encoding", b"chunked")] if chunked else [])]
        self._writer.write(head(method, path, self.target, [*headers, *extra]))
        if body is not None:
            async for chunk in body:
                if chunk:
                    self._writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
                    await self._writer.drain()
            if chunked:
                self._writer.write(b"0\r\n\r\n")
        size = 0
        while not self._parsed.ready:
            data = await self._read()
            size += len(data)
            if not data or size > MAX_HEAD:
                self.close()
                raise ServiceUnavailable(f"{self.target} closed the connection without an answer")
        if self.status > 599:
            self.close()
            raise ServiceUnavailable(f"{self.target} gave no valid answer: its status is {self.status}")

    async def _read(self) -> bytes:
        try:
            data = await self._reader.read(CHUNK)
            self._parsed.parser.feed_data(data)
        except (OSError, httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.close()
            raise ServiceUnavailable(f"{self.target} gave no valid answer: {error}") from error
        return data

    @property
    def status(self) -> int:
        return self._parsed.parser.get_status_code()

    @property
    def headers(self) -> list[Header]:
        """The headers of the answer, without those of the hop."""
        return [(n, v) for n, v in self._parsed.headers if n not in _HOP]

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        try:
            while self._method != "HEAD":
                if self._parsed.body:
                    data, self._parsed.body = b"".join(self._parsed.body), []
                    yield data
                if self._parsed.done or not await self._read():
                    if self._parsed.body:
                        yield b"".join(self._parsed.body)
                    return
        finally:
            self.close()

    async def text(self, limit: int = 64 * 1024) -> str:
        """The body, up to `limit` bytes, as text."""
        found = b""
        async for chunk in self.chunks():
            found += chunk
            if len(found) >= limit:
                break
        return found[:limit].decode("utf-8", "replace")

    def close(self) -> None:
        self._writer.close()


async def body_of(request: Request) -> AsyncIterator[bytes]:
    """The body of a request as it arrives."""
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            return
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


async def forward(request: Request, target: Target, path: str, extra: Iterable[Header] = ()) -> Stream:
    """Pass a request on, and its answer back, both as streams."""
    exchange = Exchange(target)
    length = request.header(b"content-length")
    headers = passed_on(request.scope["headers"], extra)
    has_body = bool(request.header(b"transfer-encoding")) or (length not in ("", "0"))
    if length:
        headers.append((b"content-length", length.encode()))
    await exchange.start(request.method, path, headers, body_of(request) if has_body else None)
    kind = next((v for n, v in exchange.headers if n == b"content-type"), b"text/plain").decode("latin-1")
    ours = (b"content-type",) if request.method == "HEAD" else (b"content-type", b"content-length")
    return Stream(
        until_gone(request, exchange),
        kind,
        exchange.status,
        [(n, v) for n, v in exchange.headers if n not in ours],
        release=exchange.close,
        patient=True,
    )


async def until_gone(request: Request, exchange: Exchange) -> AsyncIterator[bytes]:
    """The answer's chunks; the backend is let go when the client leaves, even in the middle of silence."""
    gone = asyncio.ensure_future(request.gone())
    gone.add_done_callback(lambda _: exchange.close())
    try:
        with contextlib.suppress(ServiceUnavailable):
            async for chunk in exchange.chunks():
                yield chunk
    finally:
        gone.cancel()


async def upgrade(request: Request, target: Target, path: str, extra: Iterable[Header] = ()) -> Taken:
    """Hand the connection through to the backend: whatever it answers to the upgrade, the client sees."""
    tunnel: Tunnel = request.scope["tunnel"]
    reader, writer = await connect(target)
    headers = passed_on(
        request.scope["headers"],
        [(b"connection", b"Upgrade"), (b"upgrade", request.header(b"upgrade").encode("latin-1")), *extra],
    )
    writer.write(head(request.method, path, target, headers))
    tunnel.take()
    if request.event is not None:
        request.event.stage(STARTED, {"metadata": {}, "code": 101})
    try:
        if await _agreed(tunnel, reader, request.method):
            await _both_ways(tunnel, reader, writer)
    finally:
        writer.close()
        tunnel.close()
    return Taken()


async def _agreed(tunnel: Tunnel, reader: asyncio.StreamReader, method: str) -> bool:
    """Hand the backend's answer to the client; whether it changes the protocol.

    Where it does not, nothing more of the client may reach the backend: it would be a request in this server's name.
    """
    parsed = _Parsed()
    while not (parsed.done or (parsed.ready and method == "HEAD")) and (data := await reader.read(CHUNK)):
        await tunnel.write(data)
        try:
            parsed.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return True
        except httptools.HttpParserError:
            return False
    return False


async def _both_ways(tunnel: Tunnel, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes in both directions until both ends are done, or either breaks."""

    async def outward() -> None:
        while data := await tunnel.reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()  # TLS has no half-closed connections

    async def inward() -> None:
        while data := await reader.read(CHUNK):
            await tunnel.write(data)

    inner, outer = asyncio.ensure_future(inward()), asyncio.ensure_future(outward())
    try:
        # The backend ending its side ends the whole; the client ending its own may still wait for the answer.
        with contextlib.suppress(OSError):
            await inner
    finally:
        outer.cancel()
        inner.cancel()
