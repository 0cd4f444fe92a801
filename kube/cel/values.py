"""JSON values as rules see them: numbers and times typed by the schema, names escaped to identifiers."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

_ESCAPES = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))
_RESERVED = frozenset(
    (
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    )
)
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def escape(name: str) -> str:
    """A property name as it is written in a rule."""
    for char, text in _ESCAPES:
        name = name.replace(char, text)
    return f"__{name}__" if name in _RESERVED else name


def to_cel(value: Any, schema: Any) -> Any:
    """A value for the engine; `schema` is the one it was validated against."""
    schema = schema if isinstance(schema, dict) else {}
    if isinstance(value, dict):
        properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
        return {
            (escape(key) if key in properties else key): to_cel(item, properties.get(key, more))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [to_cel(item, schema.get("items")) for item in value]
    if schema.get("type") == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and schema.get("format") in ("date-time", "date"):
        return datetime.fromisoformat(value)
    if isinstance(value, str) and schema.get("format") == "duration":
        return duration(value)
    return value


def duration(text: str) -> timedelta:
    """A Go duration (`1h30m`)."""
    parts = re.findall(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)


def sample(schema: Any, depth: int = 0) -> Any:
    """A value that has every field of a schema, to try a rule on before there is an object."""
    schema = schema if isinstance(schema, dict) else {}
    kind = schema.get("type")
    if depth > 20:
        return None
    if kind == "object":
        more = schema.get("additionalProperties")
        known = {escape(key): sample(prop, depth + 1) for key, prop in (schema.get("properties") or {}).items()}
        return known or ({"k": sample(more, depth + 1)} if isinstance(more, dict) else {})
    if kind == "array":
        return [sample(schema.get("items"), depth + 1)]
    if kind == "string":
        return {"date-time": datetime(2026, 1, 1), "duration": timedelta(1)}.get(schema.get("format", ""), "s")
    return {"integer": 1, "number": 1.0, "boolean": True}.get(kind or "")
