"""JSON values as rules see them: numbers, times and bytes typed by the schema, names escaped to identifiers."""

from __future__ import annotations

import base64
import re
from typing import Any

_ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_ESCAPED = re.compile(r"__|[./-]")
_RESERVED = frozenset(
    (
        *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function"),
        *("if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while"),
    )
)
_UNITS = {"ns": 1e-3, "us": 1.0, "µs": 1.0, "μs": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7, "h": 3.6e9}
# Formats of strings that rules see as times, and as what.
TIMES = {
    "date": "google.protobuf.Timestamp",
    "date-time": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
}
BYTES = "byte"


def escape(name: str) -> str:
    """A property name as it is written in a rule."""
    return f"__{name}__" if name in _RESERVED else _ESCAPED.sub(lambda found: _ESCAPES[found[0]], name)


def to_cel(value: Any, schema: Any) -> Any:
    """A value for the engine; `schema` is the one it was validated against. What is null there is not."""
    schema = schema if isinstance(schema, dict) else {}
    if isinstance(value, dict):
        properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
        return {
            (escape(key) if key in properties else key): to_cel(item, properties.get(key, more))
            for key, item in value.items()
            if item is not None or key not in properties
        }
    if isinstance(value, list):
        return [to_cel(item, schema.get("items")) for item in value]
    if isinstance(value, str):
        return _text(value, schema.get("format"))
    if schema.get("type") == "number" and not isinstance(value, bool) and value is not None:
        return float(value)
    return value


def _text(value: str, form: str | None) -> Any:
    if form == BYTES:
        return base64.b64decode(value)
    if form in TIMES:
        from kube.cel import messages

        return messages.timestamp(value) if TIMES[form] == messages.TIMESTAMP else messages.duration(micros(value))
    return value


def micros(text: str) -> int:
    """A Go duration (`1h30m`) in microseconds."""
    parts = re.findall(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", text)
    found = round(sum(float(number) * _UNITS[unit] for number, unit in parts))
    return -found if text.startswith("-") else found
