"""Printer columns of custom kinds: a name, and what the additional columns find in the object."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from kube import clock
from kube.crd import jsonpath
from kube.objects import Json
from kube.registry import Column

_AGE: list[Json] = [
    {
        "name": "Age",
        "type": "date",
        "jsonPath": ".metadata.creationTimestamp",
        "description": "Time since this object was created.",
    }
]


def _more(version: Json) -> list[Json]:
    """The columns after the name: the age alone where none are given, or one of them cannot be read."""
    found: list[Json] = version.get("additionalPrinterColumns") or _AGE
    return found if all(jsonpath.is_path(column["jsonPath"]) for column in found) else _AGE


def columns(version: Json) -> tuple[Column, ...]:
    """The column definitions of one version."""
    more = _more(version)
    return (
        Column("Name", format="name", description="Name must be unique within a namespace."),
        *(
            Column(
                c["name"], c.get("type", "string"), c.get("format", ""), c.get("description", ""), c.get("priority", 0)
            )
            for c in more
        ),
    )


def cells(version: Json) -> Callable[[Json, float], list[Any]]:
    """The function from an object (and the time now) to the cells of its row."""
    more = [(c.get("type", "string"), c["jsonPath"]) for c in _more(version)]

    def row(obj: Json, now: float) -> list[Any]:
        return [obj["metadata"].get("name", ""), *(_cell(kind, jsonpath.find(obj, path), now) for kind, path in more)]

    return row


def _cell(kind: str, found: list[Any], now: float) -> Any:
    if not found or found[0] is None:
        return None
    value = found[0]
    if kind == "string":
        texts = (i if isinstance(i, str) else json.dumps(i, separators=(",", ":"), ensure_ascii=False) for i in found)
        return " ".join(texts)
    if kind == "date":
        if not isinstance(value, str):
            return None
        try:
            return clock.human(now - clock.parse(value))
        except ValueError:
            return "<invalid>"
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if kind == "integer" else float(value)
    return None
