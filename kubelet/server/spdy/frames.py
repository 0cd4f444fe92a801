"""Frames of SPDY/3.1: 8 bytes of head, then the payload; header blocks are deflated with a dictionary both sides know."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE, DATA = 1, 2, 3, 4, 6, 7, 8, 9, 0
FIN = 1
VERSION = 3
MAX_FRAME = 4 * 1024 * 1024
MAX_HEADERS = 64 * 1024

_WORDS = """
options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age
allow authorization cache-control connection content-base content-encoding content-language content-length
content-location content-md5 content-range content-type date etag expect expires from host if-match if-modified-since
if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate
proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning
www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin
"""
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,"
    "publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = _TAIL.encode()
for _word in reversed(_WORDS.split()):
    DICTIONARY = len(_word).to_bytes(4, "big") + _word.replace("_", " ").encode() + DICTIONARY


class ProtocolError(Exception):
    """The other side does not speak SPDY/3.1."""


@dataclass
class Frame:
    """`stream` is 0 for frames of the whole connection; `body` is what follows the fields named here."""

    kind: int
    stream: int = 0
    flags: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Decoder:
    """Feed bytes, get frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Frame]:
        self._buffer += data
        while len(self._buffer) >= 8:
            length = int.from_bytes(self._buffer[5:8], "big")
            if length > MAX_FRAME:
                raise ProtocolError(f"a frame of {length} bytes, {MAX_FRAME} are allowed")
            if len(self._buffer) < 8 + length:
                return
            head, body = bytes(self._buffer[:8]), bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            yield self._frame(head, body)

    def _frame(self, head: bytes, body: bytes) -> Frame:
        flags = head[4]
        if not head[0] & 0x80:
            return Frame(DATA, _id(head), flags, body=body)
        version, kind = int.from_bytes(head[:2], "big") & 0x7FFF, int.from_bytes(head[2:4], "big")
        if version != VERSION:
            raise ProtocolError(f"version {version} of SPDY, 3 is expected")
        if kind == SYN_STREAM:
            return Frame(kind, _id(body), flags, self._headers(body[10:]))
        if kind in (SYN_REPLY, HEADERS):
            return Frame(kind, _id(body), flags, self._headers(body[4:]))
        if kind in (RST_STREAM, WINDOW_UPDATE):
            return Frame(kind, _id(body), flags, body=body[4:])
        return Frame(kind, flags=flags, body=body)

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block, MAX_HEADERS)
        except zlib.error as error:
            raise ProtocolError(f"headers: {error}") from error
        if self._inflate.unconsumed_tail:
            raise ProtocolError(f"more than {MAX_HEADERS} bytes of headers")
        words, at = [], 4
        for _ in range(2 * int.from_bytes(plain[:4], "big")):
            if at + 4 > len(plain):
                raise ProtocolError("headers end early")
            end = at + 4 + int.from_bytes(plain[at : at + 4], "big")
            words.append(plain[at + 4 : end].decode("latin-1"))
            at = end
        return dict(zip(words[::2], words[1::2], strict=True))


class Encoder:
    """Frames to bytes; one for each connection, because header blocks build upon those before."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def data(self, stream: int, payload: bytes, fin: bool = False) -> bytes:
        return stream.to_bytes(4, "big") + bytes([FIN if fin else 0]) + len(payload).to_bytes(3, "big") + payload

    def syn_stream(self, stream: int, headers: dict[str, str], fin: bool = False) -> bytes:
        return self._control(SYN_STREAM, stream.to_bytes(4, "big") + bytes(6) + self._headers(headers), fin)

    def syn_reply(self, stream: int) -> bytes:
        return self._control(SYN_REPLY, stream.to_bytes(4, "big") + self._headers({}))

    def ping(self, body: bytes) -> bytes:
        return self._control(PING, body)

    def reset(self, stream: int, status: int) -> bytes:
        return self._control(RST_STREAM, stream.to_bytes(4, "big") + status.to_bytes(4, "big"))

    def goaway(self, last: int) -> bytes:
        return self._control(GOAWAY, last.to_bytes(4, "big") + bytes(4))

    def _control(self, kind: int, body: bytes, fin: bool = False) -> bytes:
        head = (0x8000 | VERSION).to_bytes(2, "big") + kind.to_bytes(2, "big") + bytes([FIN if fin else 0])
        return head + len(body).to_bytes(3, "big") + body

    def _headers(self, headers: dict[str, str]) -> bytes:
        plain = len(headers).to_bytes(4, "big")
        for pair in headers.items():
            for text in pair:
                plain += len(text).to_bytes(4, "big") + text.encode("latin-1")
        return self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def _id(data: bytes) -> int:
    if len(data) < 4:
        raise ProtocolError("a frame ends early")
    return int.from_bytes(data[:4], "big") & 0x7FFFFFFF
