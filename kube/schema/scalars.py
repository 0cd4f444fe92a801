"""Leaves of API documents: type checks worded as Go's decoder words them, and canonical forms."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from kube import quantity
from kube.schema import types as t

QUANTITY_RULE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_QUANTITY_LIKE = re.compile(r"([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)")
_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Mismatch(Exception):
    """A value that does not decode. `text` is complete for custom types; for others the place is put in front."""

    def __init__(self, value: Any, wanted: str, text: str = "") -> None:
        super().__init__(text or wanted)
        self.value, self.wanted, self.text = value, wanted, text
        self.path: list[tuple[str, str]] = []

    def inside(self, owner: str, key: str) -> Mismatch:
        """The same error, seen from the struct around it."""
        self.path.insert(0, (owner, key))
        return self

    def message(self) -> str:
        """The sentence of Go's decoder."""
        if self.text:
            return self.text
        place, wanted = "Go value", self.wanted
        if self.path:
            from kube.schema import gonames  # late: most processes never need it

            owner, key = self.path[-1]
            wanted = gonames.type_name(owner, key, wanted)
            place = f"Go struct field {owner}.{'.'.join(gonames.place(*step) for step in self.path)}"
        return f"json: cannot unmarshal {_json_kind(self.value, self.wanted)} into {place} of type {wanted}"


def _json_kind(value: Any, wanted: str) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return f"number {value}" if wanted.startswith(("int", "float")) else "number"
    if value is None:
        return "null"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _exact(kind: type, wanted: str, zero: Any) -> Callable[[Any, Any], Any]:
    def step(value: Any, seen: Any) -> Any:
        if value.__class__ is kind:
            return value
        if value is None:
            return zero
        raise Mismatch(value, wanted)

    return step


def _integer(wanted: str, bits: int) -> Callable[[Any, Any], Any]:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def step(value: Any, seen: Any) -> Any:
        if value.__class__ is int and low <= value <= high:
            return value
        if value is None:
            return 0
        raise Mismatch(value, wanted)

    return step


def _double(value: Any, seen: Any) -> Any:
    if value.__class__ is float or value.__class__ is int:
        return value
    if value is None:
        return 0
    raise Mismatch(value, "float64")


def _bytes(value: Any, seen: Any) -> Any:
    if value is None:
        return ""
    if value.__class__ is not str:
        raise Mismatch(value, "[]uint8")
    try:
        base64.b64decode(value, validate=True)
        return value
    except (binascii.Error, ValueError):
        return _lenient_bytes(value)


def _lenient_bytes(value: str) -> str:
    """Base64 with line breaks, which Go skips, written without them."""
    text = value.replace("\n", "").replace("\r", "")
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        bad = re.search(r"[^A-Za-z0-9+/\r\n]", value)
        at = bad.start() if bad else len(text) - len(text) % 4
        raise Mismatch(value, "[]uint8", f"illegal base64 data at input byte {at}") from None
    return text


SECONDS, MICROSECONDS = "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.000000Z07:00"
_MICROSECONDS = re.compile(r":\d\d\.\d{6}(?!\d)")
_ZERO = "0001-01-01T00:00:00Z"
_BEGINNING = datetime.min.replace(tzinfo=UTC)


def _time(value: Any, seen: Any) -> Any:
    """A time in whole seconds, UTC; empty and null are the zero time, which is written as null."""
    if value.__class__ is str and _SECONDS.fullmatch(value):
        _instant(value)
        return None if value == _ZERO else value
    return _written(_moment(value), "seconds")


def _microtime(value: Any, seen: Any) -> Any:
    """A time with six digits after the seconds, as Go reads it: neither more nor fewer."""
    if value.__class__ is str and value and not _MICROSECONDS.search(value):
        raise _no_time(value, MICROSECONDS)
    return _written(_moment(value), "microseconds")


def _written(moment: datetime | None, precision: str) -> str | None:
    """With four digits for every year, which `strftime` has not; the zero time of Go is null."""
    if moment is None or moment == _BEGINNING:
        return None
    return moment.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def _moment(value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    if value.__class__ is not str:
        raise Mismatch(value, "string")
    if not _RFC3339.fullmatch(value):
        raise _no_time(value)
    try:
        return _instant(value).astimezone(UTC)
    except OverflowError:  # before the year 1, or after 9999
        raise _no_time(value) from None


def _instant(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise _no_time(value) from None


def _no_time(value: str, layout: str = SECONDS) -> Mismatch:
    rest, part = (value, "2006")
    if layout == MICROSECONDS and _RFC3339.fullmatch(value):
        rest, part = value[len("2006-01-02T15:04:05") :], ".000000"
    text = f'parsing time "{value}" as "{layout}": cannot parse "{rest}" as "{part}"'
    return Mismatch(value, "Time", text)


@lru_cache(maxsize=4096)
def _canonical(value: str) -> str:
    return quantity.canonical(value)


def _quantity(value: Any, seen: Any) -> Any:
    """A quantity in canonical form; numbers become strings, null is zero."""
    if value is None:
        return "0"
    try:
        return _canonical(value) if value.__class__ is str else quantity.canonical(value)
    except ValueError:
        like = isinstance(value, str) and _QUANTITY_LIKE.fullmatch(value)
        raise Mismatch(value, "Quantity", "unable to parse quantity's suffix" if like else QUANTITY_RULE) from None


def _int_or_string(value: Any, seen: Any) -> Any:
    if value.__class__ is str or (value.__class__ is int and -(2**31) <= value < 2**31):
        return value
    if value is None:
        return 0
    raise Mismatch(value, "int32")


def _any(value: Any, seen: Any) -> Any:
    return value


def _object(value: Any, seen: Any) -> Any:
    if value is None or value.__class__ is dict:
        return value
    raise Mismatch(value, "map[string]interface {}")


STEPS: dict[str, Callable[[Any, Any], Any]] = {
    t.STRING: _exact(str, "string", ""),
    t.BOOL: _exact(bool, "bool", False),
    t.INT32: _integer("int32", 32),
    t.INT64: _integer("int64", 64),
    t.DOUBLE: _double,
    t.BYTES: _bytes,
    t.TIME: _time,
    t.MICROTIME: _microtime,
    t.QUANTITY: _quantity,
    t.INT_OR_STRING: _int_or_string,
    t.ANY: _any,
    t.OBJECT: _object,
}
# What Go writes for the zero value of a leaf that is never left out.
ZERO: dict[str, Any] = {
    t.STRING: "",
    t.BOOL: False,
    t.INT32: 0,
    t.INT64: 0,
    t.DOUBLE: 0,
    t.QUANTITY: "0",
    t.INT_OR_STRING: 0,
}


def zero_of(field: t.Field) -> Any:
    """What Kubernetes writes for a field that is always there: {} for a struct, null for a pointer, list or map."""
    if field.encoding == t.ALWAYS and isinstance(field.type, t.Ref):
        return {}
    return ZERO.get(field.type.name) if field.encoding == t.ALWAYS and isinstance(field.type, t.Scalar) else None
