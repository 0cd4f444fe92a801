"""JSON objects to messages: one writer per message, compiled when an answer first needs it."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any

from kube.protobuf import layout
from kube.protobuf.layout import Slot
from kube.protobuf.values import MESSAGE, TO_MESSAGE
from kube.protobuf.wire import BYTES, FIXED64, VARINT, put_varint
from kube.schema import types as t
from kube.schema.types import ListOf, MapOf, Ref, Scalar, Type

Writer = Callable[[Any], bytes]  # from a JSON value to the value on the wire, its length included where it has one
Part = tuple[str, Writer]  # a field's name, and what writes it with its tag

_writers: dict[str, Writer] = {}


def writer(name: str) -> Writer:
    """The writer of a definition, or of a message of `layout.SPECIAL`: the message's content, without a length."""
    found = _writers.get(name)
    return found or _writers.setdefault(name, _message(layout.slots(name)))


def _message(slots: tuple[Slot, ...]) -> Writer:
    parts = [(slot.key, _spread(slot) if slot.inline else _field(slot)) for slot in slots]

    def write(obj: Any) -> bytes:
        found = ((obj if not key else obj.get(key), put) for key, put in parts)
        return b"".join(put(value) for value, put in found if value is not None)

    return write


def _spread(slot: Slot) -> Writer:
    tag = put_varint(slot.number << 3 | BYTES)
    write = _message(layout.slots(slot.inline, slot.type.name if isinstance(slot.type, Ref) else ""))

    def put(obj: Any) -> bytes:
        content = write(obj)
        return tag + _sized(content) if content else b""

    return put


def _field(slot: Slot) -> Writer:
    """A whole field: its tag before each of its values."""
    match slot.type:
        case ListOf(item=item) if slot.wrapped:
            inner = _field(Slot(1, "items", slot.type))
            tag = put_varint(slot.number << 3 | BYTES)
            return lambda values: tag + _sized(inner(values))
        case ListOf(item=item):
            wire, write = _value(item)
            tag = put_varint(slot.number << 3 | wire)
            return lambda values: b"".join(tag + write(value) for value in values)
        case MapOf(value=value):
            # Entries in the order of their keys, as Go writes them.
            tag = put_varint(slot.number << 3 | BYTES)
            value_of = _field(Slot(2, "value", value, wrapped=isinstance(value, ListOf)))
            return lambda values: b"".join(
                tag + _sized(b"\x0a" + _sized(key.encode()) + value_of(value)) for key, value in sorted(values.items())
            )
    wire, write = _value(slot.type)
    tag = put_varint(slot.number << 3 | wire)
    return lambda value: tag + write(value)


def _sized(content: bytes) -> bytes:
    return put_varint(len(content)) + content


def _value(kind: Type) -> tuple[int, Writer]:
    """How a single value is written: the wire type and the writer."""
    match kind:
        case Ref(name=name):
            return BYTES, lambda value: _sized(writer(name)(value))
        case Scalar(name=name) if name in TO_MESSAGE:
            convert = TO_MESSAGE[name]
            return BYTES, lambda value: _sized(writer(MESSAGE[name])(convert(value)))
        case Scalar(name=name) if name in _LEAVES:
            return _LEAVES[name]
    raise TypeError(f"no protobuf form of {kind}")


_LEAVES: dict[str, tuple[int, Writer]] = {
    t.STRING: (BYTES, lambda value: _sized(value.encode())),
    t.BYTES: (BYTES, lambda value: _sized(base64.b64decode(value))),
    layout.RAW: (BYTES, _sized),
    t.INT32: (VARINT, put_varint),
    t.INT64: (VARINT, put_varint),
    t.BOOL: (VARINT, put_varint),
    t.DOUBLE: (FIXED64, struct.Struct("<d").pack),
}
