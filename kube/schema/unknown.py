"""Fields that a definition does not have: their paths, and their removal. Off the fast path; see `plan`."""

from __future__ import annotations

from typing import Any

from kube.schema.definitions import resolve
from kube.schema.types import ListOf, MapOf, Struct, Type


def drop(kind: Type, value: Any, path: str = "") -> list[str]:
    """Remove unknown fields in place; returns their paths (`spec.containers[0].foo`) in document order."""
    kind = resolve(kind)
    match kind, value:
        case Struct(), dict():
            found: list[str] = []
            for key in list(value):
                place = f"{path}.{key}" if path else key
                if key in kind.fields:
                    found += drop(kind.fields[key].type, value[key], place)
                elif not kind.preserve:
                    found.append(place)
                    del value[key]
            return found
        case ListOf(), list():
            return [p for i, item in enumerate(value) for p in drop(kind.item, item, f"{path}[{i}]")]
        case MapOf(), dict():
            return [p for key, item in value.items() for p in drop(kind.value, item, f"{path}.{key}")]
    return []
