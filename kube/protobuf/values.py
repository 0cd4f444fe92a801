"""Values that are a message in protobuf and a scalar (or a union) in JSON, both ways."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from kube.objects import Json
from kube.protobuf import layout
from kube.schema import types as t

_EPOCH = datetime(1970, 1, 1)
_TEXT = 1  # IntOrString.type of a string; 0 is an integer


def _time(message: Json) -> str | None:
    """Whole seconds; an empty message is the zero time, which is null."""
    if not message:
        return None
    return (_EPOCH + timedelta(seconds=message.get("seconds", 0))).isoformat() + "Z"


def _microtime(message: Json) -> str | None:
    if not message:
        return None
    moment = _EPOCH + timedelta(seconds=message.get("seconds", 0), microseconds=message.get("nanos", 0) // 1000)
    return moment.isoformat(timespec="microseconds") + "Z"


def _int_or_string(message: Json) -> int | str:
    if message.get("type", 0) == _TEXT:
        text: str = message.get("strVal", "")
        return text
    number: int = message.get("intVal", 0)
    return number


def _json(message: Json) -> Any:
    raw = message.get("raw")
    return orjson.loads(raw) if raw else None


def _either(other: str) -> Callable[[Json], Any]:
    return lambda message: message.get(other) or message.get("schema")


FROM_MESSAGE: dict[str, Callable[[Json], Any]] = {
    t.QUANTITY: lambda message: message.get("string", "0"),
    t.TIME: _time,
    t.MICROTIME: _microtime,
    t.INT_OR_STRING: _int_or_string,
    t.ANY: _json,
    t.OBJECT: _json,
    layout.SCHEMA_OR_LIST: _either("list"),
    layout.SCHEMA_OR_NAMES: _either("names"),
    layout.SCHEMA_OR_BOOL: lambda message: message["schema"] if "schema" in message else message.get("allows", False),
}


def _instant(value: str | None) -> Json:
    if not value:
        return {}
    since = datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None) - _EPOCH
    return {"seconds": since.days * 86400 + since.seconds, "nanos": since.microseconds * 1000}


def _union(other: str) -> Callable[[Any], Json]:
    return lambda value: {"schema": value} if isinstance(value, dict) else {other: value}


TO_MESSAGE: dict[str, Callable[[Any], Json]] = {
    t.QUANTITY: lambda value: {"string": str(value)},
    t.TIME: _instant,
    t.MICROTIME: _instant,
    t.INT_OR_STRING: lambda value: (
        {"type": _TEXT, "strVal": value} if isinstance(value, str) else {"type": 0, "intVal": value}
    ),
    t.ANY: lambda value: {"raw": orjson.dumps(value)},
    t.OBJECT: lambda value: {"raw": orjson.dumps(value)},
    layout.SCHEMA_OR_LIST: _union("list"),
    layout.SCHEMA_OR_NAMES: _union("names"),
    layout.SCHEMA_OR_BOOL: lambda value: (
        {"allows": True, "schema": value} if isinstance(value, dict) else {"allows": bool(value)}
    ),
}
# The message of each: `any` and `object` share one.
MESSAGE = {name: t.ANY if name == t.OBJECT else name for name in FROM_MESSAGE}
