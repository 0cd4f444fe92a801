"""Values as Go prints them, for messages that clients know in that form."""

from __future__ import annotations

from typing import Any


def show(value: Any) -> str:
    """`fmt.Sprint` of decoded JSON: `map[a:1 b:[x y]]`."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{show(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(show, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)


def json_type(value: Any) -> str:
    """The name of a JSON type in decoder errors."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if value is None:
        return "null"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def go_kind(value: Any) -> str:
    """The Go kind that a JSON value decodes to."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "int64" if isinstance(value, int) else "float64"
    if value is None:
        return "nil"
    return "string" if isinstance(value, str) else "slice" if isinstance(value, list) else "map"
