"""grpc: the standard health service, `grpc.health.v1.Health/Check`: one call over HTTP/2, spoken here.

A call needs few frames and no answer's headers, hence no library: the status of the service is in the message.
"""

from __future__ import annotations

import asyncio
import struct

SERVING = "SERVING"
STATUSES = ("UNKNOWN", SERVING, "NOT_SERVING", "SERVICE_UNKNOWN")
MAX_ANSWER = 1 << 16

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_END_STREAM, _ACK, _END_HEADERS, _PADDED = 1, 1, 4, 8


class Refused(Exception):
    """The server ended the call without an answer."""


async def check(host: str, port: int, service: str, timeout: float) -> tuple[bool, str]:
    """Asks once."""
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(_call(f"{host}:{port}", service))
                data = await _answer(reader, writer)
            finally:
                writer.close()
    except TimeoutError:
        return False, f"timeout: health rpc did not complete within {timeout:g}s"
    except (Refused, OSError, asyncio.IncompleteReadError) as error:
        return False, f"error: health rpc probe failed: {error}"
    # A HealthCheckResponse behind the five bytes that gRPC puts before a message.
    message = data[5:]
    number = message[1] if len(message) >= 2 and message[0] == 0x08 else 0
    status = STATUSES[number] if number < len(STATUSES) else str(number)
    return status == SERVING, "" if status == SERVING else f'service unhealthy (responded with "{status}")'


def _call(authority: str, service: str) -> bytes:
    """The frames of the whole call, on stream 1."""
    headers = b"\x83\x86"  # of HPACK's table: `:method: POST` and `:scheme: http`
    for name, value in ((":path", "/grpc.health.v1.Health/Check"), (":authority", authority),
                        ("content-type", "application/grpc"), ("te", "trailers"),
                        ("user-agent", "kube-probe/1.36")):  # fmt: skip
        headers += b"\0" + _text(name) + _text(value)
    name_field = b"\x0a" + _text(service) if service else b""
    message = struct.pack(">BI", 0, len(name_field)) + name_field
    return (_PREFACE + _frame(_SETTINGS, 0, 0) + _frame(_HEADERS, _END_HEADERS, 1, headers)
            + _frame(_DATA, _END_STREAM, 1, message))  # fmt: skip


def _text(text: str) -> bytes:
    """Bytes behind their length, as HPACK and protobuf write short ones alike."""
    data = text.encode()
    if len(data) > 126:
        raise Refused(f"{text[:40]!r}… is too long")
    return bytes([len(data)]) + data


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """All data of the stream; answers what the server asks of the connection meanwhile."""
    data = b""
    while True:
        head = await reader.readexactly(9)
        length, kind, flags = int.from_bytes(head[:3]), head[3], head[4]
        if length + len(data) > MAX_ANSWER:
            raise Refused("the answer is no health check's")
        payload = await reader.readexactly(length)
        if kind in (_SETTINGS, _PING) and not flags & _ACK:
            writer.write(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
        elif kind in (_RST_STREAM, _GOAWAY):
            raise Refused("the server ended the call")
        elif kind == _DATA:
            data += payload[1 : length - payload[0]] if flags & _PADDED else payload
        if kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            break
    if len(data) < 5:
        raise Refused("the server did not answer the call: does it serve grpc.health.v1.Health, and this service?")
    return data
