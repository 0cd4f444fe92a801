"""Walking through a decoded document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson


def at(found: Mapping[str, Any], path: str) -> Any:
    """The value at a path such as `kubernetes.workload.name`, None where it ends early."""
    value: Any = found
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Keys with dots and values as text, as Elasticsearch flattens an object."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, key)
    elif value is not None and key:
        yield key, value if isinstance(value, str) else orjson.dumps(value).decode()
