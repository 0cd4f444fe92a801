"""Fields of protobuf messages."""

from __future__ import annotations

import struct

from kube.protobuf.wire import put_varint


def message(field: int, content: bytes) -> bytes:
    return put_varint(field << 3 | 2) + put_varint(len(content)) + content


def string(field: int, text: str) -> bytes:
    return message(field, text.encode())


def integer(field: int, value: int) -> bytes:
    """A whole number or a bool; a negative one takes ten bytes."""
    return put_varint(field << 3) + put_varint(value % 2**64)


def number(field: int, value: float) -> bytes:
    return put_varint(field << 3 | 1) + struct.pack("<d", value)


def named(field: int, name: str, content: bytes) -> bytes:
    """An entry of a map: (name, value)."""
    return message(field, string(1, name) + message(2, content))
