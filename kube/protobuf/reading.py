"""Messages to JSON objects: one reader per message, compiled when a body first needs it.

A reader is `read(buffer, at, stop, depth) -> value`. Zero values of fields that Kubernetes leaves out of its JSON when
empty are left out; fields with numbers nobody knows are skipped, as newer clients may send them.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from math import isfinite
from typing import Any

from kube.protobuf import layout
from kube.protobuf.layout import Slot
from kube.protobuf.values import FROM_MESSAGE, MESSAGE
from kube.protobuf.wire import BYTES, FIXED64, VARINT, Malformed, skip, varint
from kube.schema import types as t
from kube.schema.types import ListOf, MapOf, Ref, Scalar, Type

Reader = Callable[[bytes, int, int, int], Any]
Put = Callable[[dict[str, Any], bytes, int, int, int], None]
# How a tag is read: the field's name; what reads its single value; what else takes the value (both None for a single
# string); whether zeros are kept.
Entry = tuple[str, Reader | None, Any, bool]

MAX_DEPTH = 100
_KEY, _ITS_VALUE = 1 << 3 | BYTES, 2 << 3 | BYTES
_readers: dict[str, Reader] = {}
_DOUBLE = struct.Struct("<d")


def reader(name: str) -> Reader:
    """The reader of a definition, or of a message of `layout.SPECIAL`. Raises KeyError for one that has no layout."""
    found = _readers.get(name)
    return found or _readers.setdefault(name, _message(name.rpartition(".")[2], _entries(layout.slots(name))))


def _message(name: str, entries: dict[int, Entry]) -> Reader:
    get, numbers = entries.get, {tag >> 3: entry[0] for tag, entry in entries.items()}

    def other(out: dict[str, Any], buffer: bytes, at: int, tag: int) -> int:
        if tag >> 3 not in numbers:
            if tag < 8:
                raise Malformed(f"{name}: illegal tag {tag}")
            return skip(buffer, at, tag)
        entry = get(tag)
        if entry is None or tag & 7 != FIXED64:
            raise Malformed(f"{name}.{numbers[tag >> 3]}: wrong wire type {tag & 7}")
        out[entry[0]] = entry[2](buffer, at)
        return at + 8

    def read(buffer: bytes, at: int, stop: int, depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        if depth > MAX_DEPTH:
            raise Malformed(f"{name}: nested more than {MAX_DEPTH} messages deep")
        while at < stop:
            tag = buffer[at]
            at += 1
            if tag > 127:
                tag, at = varint(buffer, at - 1)
            if (entry := get(tag)) is None or (wire := tag & 7) == FIXED64:
                at = other(out, buffer, at, tag)
                continue
            key, step, put, keep = entry
            size = buffer[at]
            at += 1
            if size > 127:
                size, at = varint(buffer, at - 1)
            if wire == VARINT:
                put(out, size)
                continue
            end = at + size
            if end > stop:
                raise Malformed(f"{name}.{key}: unexpected end")
            if step is not None:
                out[key] = step(buffer, at, end, depth + 1)
            elif put is not None:
                put(out, buffer, at, end, depth + 1)
            elif size or keep:
                out[key] = str(buffer[at:end], "utf-8")
            at = end
        if at != stop:
            raise Malformed(f"{name}: unexpected end")
        return out

    return read


def _entries(slots: tuple[Slot, ...]) -> dict[int, Entry]:
    found: dict[int, Entry] = {}
    for slot in slots:
        item = slot.type.item if isinstance(slot.type, ListOf) else slot.type
        if isinstance(item, Scalar) and item.name in _INTEGERS and not slot.wrapped:
            found |= _integers(slot, item.name, slot.type is not item)
        elif item == Scalar(t.DOUBLE):
            found[slot.number << 3 | FIXED64] = (slot.key, None, _double, True)
        else:
            tag = slot.number << 3 | BYTES
            is_text = slot.type == Scalar(t.STRING)
            found[tag] = (slot.key, None, None if is_text else _at_first_value(found, tag, slot), not slot.omit)
    return found


def _integers(slot: Slot, kind: str, many: bool) -> dict[int, Entry]:
    """Numbers and booleans: one tag each, or all of a list together (packed)."""
    key, keep, convert = slot.key, not slot.omit, _INTEGERS[kind]
    boolean = kind == t.BOOL

    def one(out: dict[str, Any], value: int) -> None:
        if value or keep:
            out[key] = value if value < 1 << 31 and not boolean else convert(value)

    def append(out: dict[str, Any], value: int) -> None:
        out.setdefault(key, []).append(convert(value))

    def packed(out: dict[str, Any], buffer: bytes, at: int, stop: int, depth: int) -> None:
        while at < stop:
            value, at = varint(buffer, at)
            append(out, value)
        if at != stop:
            raise Malformed(f"{key}: unexpected end")

    if not many:
        return {slot.number << 3 | VARINT: (key, None, one, keep)}
    return {slot.number << 3 | VARINT: (key, None, append, keep), slot.number << 3 | BYTES: (key, None, packed, keep)}


def _at_first_value(entries: dict[int, Entry], tag: int, slot: Slot) -> Put:
    """Compiles a field at its first value, and puts the result into its place: definitions refer to each other in circles."""

    def put(out: dict[str, Any], buffer: bytes, at: int, stop: int, depth: int) -> None:
        compiled = _put(slot)
        step = _value(slot.type) if compiled is None else None
        entries[tag] = (slot.key, step, compiled, not slot.omit)
        if step is not None:
            out[slot.key] = step(buffer, at, stop, depth)
        elif compiled is not None:
            compiled(out, buffer, at, stop, depth)

    return put


def _put(slot: Slot) -> Put | None:
    """What stores a value that is not simply the field's; None where it is."""
    if slot.inline:
        return _spread(slot)
    if slot.wrapped:
        # A list in a message of its own, with its items in field 1.
        items = _message("items", _entries((Slot(1, "items", slot.type),)))
        return _present(slot.key, lambda buffer, at, stop, depth: items(buffer, at, stop, depth).get("items", []))
    match slot.type:
        case ListOf(item=item):
            return _append(slot.key, _value(item))
        case MapOf(value=value):
            return _enter(slot.key, _entry_reader(value))
        case Scalar():
            return _present(slot.key, _value(slot.type))
    return None


def _present(key: str, read: Reader) -> Put:
    """Null (the zero time, for one) is left out."""

    def put(out: dict[str, Any], buffer: bytes, at: int, stop: int, depth: int) -> None:
        value = read(buffer, at, stop, depth)
        if value is not None:
            out[key] = value

    return put


def _append(key: str, read: Reader) -> Put:
    def put(out: dict[str, Any], buffer: bytes, at: int, stop: int, depth: int) -> None:
        value = read(buffer, at, stop, depth)
        if (found := out.get(key)) is None:
            out[key] = [value]
        else:
            found.append(value)

    return put


def _enter(key: str, read: Reader) -> Put:
    def put(out: dict[str, Any], buffer: bytes, at: int, stop: int, depth: int) -> None:
        name, value = read(buffer, at, stop, depth)
        if (found := out.get(key)) is None:
            out[key] = {name: value}
        else:
            found[name] = value

    return put


def _spread(slot: Slot) -> Put:
    """Fields of an inner message, which are the object's own in JSON."""
    owner = slot.type.name if isinstance(slot.type, Ref) else ""
    read = _message(slot.inline.rpartition(".")[2], _entries(layout.slots(slot.inline, owner)))

    def put(out: dict[str, Any], buffer: bytes, at: int, stop: int, depth: int) -> None:
        out.update(read(buffer, at, stop, depth))

    return put


def _entry_reader(value: Type) -> Reader:
    """A map's entry; both halves may be absent and then are zero."""
    inner = Slot(2, "value", value, wrapped=isinstance(value, ListOf))
    read = _message("entry", _entries((Slot(1, "key", Scalar(t.STRING)), inner)))
    zero = list if isinstance(value, ListOf) else _ZERO.get(value.name, dict) if isinstance(value, Scalar) else dict
    texts = value == Scalar(t.STRING)

    def entry(buffer: bytes, at: int, stop: int, depth: int) -> tuple[str, Any]:
        if texts:
            # Nearly every entry: key and value, both short. Anything else is for the general reader.
            middle = at + 2 + buffer[at + 1] if stop - at > 3 else stop
            if (
                middle < stop - 1
                and buffer[at] == _KEY
                and buffer[middle] == _ITS_VALUE
                and (buffer[middle + 1] == stop - middle - 2 < 128 > buffer[at + 1])
            ):
                return str(buffer[at + 2 : middle], "utf-8"), str(buffer[middle + 2 : stop], "utf-8")
        found = read(buffer, at, stop, depth)
        return found.get("key", ""), found["value"] if "value" in found else zero()

    return entry


def _value(kind: Type) -> Reader:
    match kind:
        case Ref(name=name):
            return reader(name)
        case Scalar(name=name) if name in FROM_MESSAGE:
            convert, read = FROM_MESSAGE[name], reader(MESSAGE[name])
            return lambda buffer, at, stop, depth: convert(read(buffer, at, stop, depth))
        case Scalar(name=name) if name in _LEAVES:
            return _LEAVES[name]
    raise TypeError(f"no protobuf form of {kind}")


def _double(buffer: bytes, at: int) -> float:
    value: float = _DOUBLE.unpack_from(buffer, at)[0]
    if not isfinite(value):
        raise Malformed(f"{value} is no number in JSON")
    return value


def _int64(value: int) -> int:
    return value if value < 1 << 63 else value - (1 << 64)


def _int32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value if value < 1 << 31 else value - (1 << 32)


def _null() -> None:
    return None


_INTEGERS: dict[str, Callable[[int], Any]] = {t.INT64: _int64, t.INT32: _int32, t.BOOL: bool}
_LEAVES: dict[str, Reader] = {
    t.STRING: lambda buffer, at, stop, depth: str(buffer[at:stop], "utf-8"),
    t.BYTES: lambda buffer, at, stop, depth: base64.b64encode(buffer[at:stop]).decode(),
    layout.RAW: lambda buffer, at, stop, depth: bytes(buffer[at:stop]),
}
_ZERO: dict[str, Callable[[], Any]] = {
    t.STRING: str,
    t.BYTES: str,
    t.INT32: int,
    t.INT64: int,
    t.BOOL: bool,
    t.QUANTITY: lambda: "0",
    t.INT_OR_STRING: int,
    t.TIME: _null,
    t.MICROTIME: _null,
    t.ANY: _null,
    t.OBJECT: _null,
}
