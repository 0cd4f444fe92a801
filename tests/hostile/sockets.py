"""Requests to the small servers, what is said over the dashboard's and the kubelet's sockets, and questions for DNS."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

from tests.hostile import words
from tests.hostile.drive import Asked

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@dataclass(frozen=True, slots=True)
class Page:
    """A path that is served, with the options and the kind of body that it takes. `sockets`: protocols to change to."""

    method: str
    path: str
    options: dict[str, tuple[str, ...]]
    body: Any = None
    sockets: tuple[str, ...] = ()
    stream: bool = False


class Pages:
    """An endless row of requests for the pages of a small server. `frames` makes what is said over a socket."""

    def __init__(
        self,
        rng: Random,
        pages: list[Page],
        headers: tuple[tuple[str, str], ...],
        frames: Callable[[Random], bytes] | None = None,
    ) -> None:
        self._rng, self._pages, self._headers, self._frames = rng, pages, headers, frames

    def __iter__(self) -> Iterator[Asked]:
        return self

    def __next__(self) -> Asked:
        rng = self._rng
        page = rng.choice(self._pages)
        method = page.method if rng.random() < 0.8 else rng.choice(METHODS)
        headers = [("Host", "localhost"), *self._headers]
        if rng.random() < 0.05:
            headers[1:] = [
                ("Authorization", rng.choice(("", "Bearer", "Bearer x", "Bearer " + "y" * 5000, "Basic YTpi", "\xe9")))
            ]
        if rng.random() < 0.1:
            name = rng.choice(
                (
                    "Accept",
                    "Accept-Encoding",
                    "If-None-Match",
                    "Range",
                    "Content-Encoding",
                    "Expect",
                    "X-Forwarded-For",
                    "Cookie",
                )
            )
            headers.append(
                (name, rng.choice(("gzip", "*", "100-continue", "bytes=1-", "x" * 3000, "\xe9", "deflate, br", "")))
            )
        after = b""
        if page.sockets and rng.random() < 0.8:
            method = page.method
            headers += _upgrade(rng, rng.choice(page.sockets))
            after = (self._frames or frames)(rng)
        body = b""
        if page.body is not None or (method in ("POST", "PUT", "PATCH") and rng.random() < 0.5):
            body = json.dumps(words.bent(rng, page.body, rng.choice((0, 1, 1, 2, 3)))).encode("utf-8", "surrogatepass")
            body = words.spoilt(rng, body) if rng.random() < 0.1 else body
        return Asked(
            method,
            self._path(page) + self._query(page),
            tuple(headers),
            body,
            stream=page.stream or bool(after),
            after=after,
        )

    def _path(self, page: Page) -> str:
        rng = self._rng
        if rng.random() < 0.9:
            return page.path
        parts = page.path.split("/")
        parts[rng.randrange(1, len(parts))] = quote(words.text(rng)[:2000], safe=rng.choice(("", "%;:@")))
        return "/".join(parts)

    def _query(self, page: Page) -> str:
        rng = self._rng
        pairs = []
        for name, values in page.options.items():
            if rng.random() < 0.4:
                value = rng.choice(values) if values and rng.random() < 0.6 else words.text(rng)[:2000]
                pairs.append(f"{name}={quote(value, safe='')}")
        if rng.random() < 0.03:
            pairs.append(rng.choice(("%", "a=%zz", "=", "&&", "x=" + "y" * 4000)))
        return "?" + "&".join(pairs) if pairs else ""


def _upgrade(rng: Random, protocol: str) -> list[tuple[str, str]]:
    if protocol.startswith("SPDY"):
        return [
            ("Connection", "Upgrade"),
            ("Upgrade", protocol),
            ("X-Stream-Protocol-Version", rng.choice(("v4.channel.k8s.io", "x"))),
        ]
    found = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", KEY),
    ]
    if protocol:
        found.append(("Sec-WebSocket-Protocol", protocol))
    if rng.random() < 0.05:
        found[rng.randrange(2, len(found))] = ("Sec-WebSocket-Version", rng.choice(("0", "8", "x")))
    return found


# -- over a socket ---------------------------------------------------------------------------------------------------------


def frame(rng: Random, payload: bytes, opcode: int, final: bool = True) -> bytes:
    """A masked WebSocket frame, in its parts sometimes wrong."""
    first = opcode | (0x80 if final else 0) | (rng.choice((0x10, 0x20, 0x40)) if rng.random() < 0.03 else 0)
    size = len(payload)
    masked = 0x80 if rng.random() < 0.97 else 0
    if rng.random() < 0.02:
        size = rng.choice((126, 65536, 2**31, 2**63 - 1))
    if size < 126:
        head = struct.pack("!BB", first, masked | size)
    elif size < 65536:
        head = struct.pack("!BBH", first, masked | 126, size)
    else:
        head = struct.pack("!BBQ", first, masked | 127, size)
    mask = rng.randbytes(4)
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload[:20_000]))


def frames(rng: Random) -> bytes:
    """Channels of the kubelet's streams, and worse."""
    if rng.random() < 0.2:
        return rng.randbytes(rng.randrange(200))
    sent = b""
    for _ in range(rng.randrange(1, 6)):
        channel = bytes([rng.choice((0, 0, 1, 2, 3, 4, 4, 5, 200, 255))])
        said = rng.choice(
            (
                b"echo\n",
                b'{"Width":80,"Height":24}',
                b'{"Width":"x"}',
                b"{}",
                b"[",
                b"\x00",
                b"\x00\x00",
                rng.randbytes(20),
                b"",
            )
        )
        sent += frame(
            rng,
            channel + said if rng.random() < 0.95 else b"",
            rng.choice((2, 2, 2, 1, 0, 8, 9, 10, 3)),
            rng.random() < 0.9,
        )
    return sent


def spdy(rng: Random) -> bytes:
    """SPDY/3.1 frames whose heads are right and whose rest is not."""
    sent = b""
    for _ in range(rng.randrange(1, 5)):
        payload = rng.randbytes(rng.choice((0, 4, 8, 10, 18, 60)))
        kind = rng.choice((1, 1, 2, 3, 4, 6, 7, 8, 9, 0, 77))
        size = len(payload) if rng.random() < 0.9 else rng.choice((0, 2**24 - 1))
        sent += (
            struct.pack("!HHI", 0x8003 if rng.random() < 0.8 else 5, kind, rng.randrange(256) << 24 | size) + payload
        )
    return sent


def messages(rng: Random, good: list[Any]) -> bytes:
    """Some of the messages that a page sends, in part bent."""
    sent = b""
    for _ in range(rng.randrange(1, 5)):
        if rng.random() < 0.05:
            sent += frame(
                rng, rng.randbytes(rng.randrange(300)), rng.choice((0, 1, 2, 3, 8, 9, 10)), rng.random() < 0.9
            )
            continue
        message = words.bent(rng, rng.choice(good), rng.choice((0, 1, 1, 2)))
        if isinstance(message, dict) and rng.random() < 0.9:
            message["id"] = rng.randrange(5)
        sent += frame(rng, json.dumps(message).encode("utf-8", "replace"), 1)
    return sent


# -- DNS -------------------------------------------------------------------------------------------------------------------

NAMES = (
    b"kubernetes.default.svc.cluster.local", b"kube-dns.kube-system.svc.cluster.local",
    b"_dns._udp.kube-dns.kube-system.svc.cluster.local",
    b"1-2-3-4.default.pod.cluster.local", b"dns-version.cluster.local", b"cluster.local", b"1.0.96.10.in-addr.arpa",
    b"absent.default.svc.cluster.local",
    b"", b"a", b"local", b"version.bind", b"x" * 63, b".".join([b"x" * 62] * 4), b"*.default.svc.cluster.local",
    b"KUBERNETES.Default.svc.CLUSTER.local",
)  # fmt: skip


def question(rng: Random) -> bytes:
    """A DNS message: now and then a right one."""
    name = rng.choice(NAMES) if rng.random() < 0.8 else words.text(rng).encode("utf-8", "replace")[:300]
    labels = b"".join(bytes([min(len(part), 63)]) + part[:63] for part in name.split(b".") if part) + b"\0"
    if rng.random() < 0.05:
        labels = rng.choice((b"\xc0\x0c", b"\xc0\xff", b"\xc0\x0c\xc0\x0e", b"\x40x", b"\x3f", b"\x01", labels[:-1]))
    kind = rng.choice((1, 28, 5, 2, 6, 12, 15, 16, 33, 41, 255, 252, 251, 0, 65535, 64, 257))
    counts = (
        (1, 0, 0, 1)
        if rng.random() < 0.4
        else (1, 0, 0, 0)
        if rng.random() < 0.8
        else tuple(rng.choice((0, 1, 2, 65535)) for _ in range(4))
    )
    flags = rng.choice((0x0100, 0x0100, 0x0000, 0x0120, 0x8180, 0x2800, 0x7800, rng.randrange(65536)))
    message = (
        struct.pack("!HHHHHH", rng.randrange(65536), flags, *counts)
        + labels
        + struct.pack("!HH", kind, rng.choice((1, 1, 1, 3, 255, 0)))
    )
    if counts[3]:
        option = rng.randbytes(rng.choice((0, 4, 12)))
        message += (
            struct.pack(
                "!BHHIH", 0, 41, rng.choice((512, 1232, 0, 65535)), rng.choice((0, 0x8000, 0x01000000)), len(option)
            )
            + option
        )
    return words.spoilt(rng, message) if rng.random() < 0.25 else message
