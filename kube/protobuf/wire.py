"""The wire format: variable-length integers, and stepping over fields nobody knows."""

from __future__ import annotations

VARINT, FIXED64, BYTES, GROUP, END_GROUP, FIXED32 = range(6)
_FIXED = {FIXED64: 8, FIXED32: 4}


class Malformed(ValueError):
    """Bytes that are no message of the expected type; the text says why."""


def varint(buffer: bytes, at: int) -> tuple[int, int]:
    """An unsigned integer at a place, and the place behind it. Raises Malformed, IndexError at the end."""
    value = shift = 0
    while True:
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift > 63:
            raise Malformed("integer overflow")


def put_varint(value: int) -> bytes:
    """An integer; negative ones as 64-bit two's complement."""
    value &= 0xFFFFFFFFFFFFFFFF
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def skip(buffer: bytes, at: int, tag: int) -> int:
    """The place behind the value of an unknown field, whose tag ends at `at`. Raises Malformed, IndexError."""
    depth = 0
    while True:
        wire = tag & 7
        if wire == VARINT:
            at = varint(buffer, at)[1]
        elif wire == BYTES:
            size, at = varint(buffer, at)
            at += size
        elif wire in _FIXED:
            at += _FIXED[wire]
        elif wire in (GROUP, END_GROUP):
            depth += 1 if wire == GROUP else -1
        else:
            raise Malformed(f"illegal wire type {wire}")
        if depth < 0:
            raise Malformed("end of a group that did not begin")
        if at > len(buffer):
            raise Malformed("unexpected end")
        if not depth:
            return at
        tag, at = varint(buffer, at)
