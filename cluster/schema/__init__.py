"""Schemas of all kinds: decoding as kube-apiserver decodes, canonical forms, and completion before storing.

The path of a write: `parse` the body to JSON, `decode` it for its kind (types checked, unknown fields reported and
dropped, quantities and times canonical, nulls dropped), then defaults, admission and validation, and last `fill`.

Between `decode` and `fill` no field is null, and plain structs (`metadata`, `spec`, `resources`) are present; scalars
and lists may be absent. After `fill` the object is what Kubernetes would show: fields without `omitempty` are there
(`status: {}`, `containers: null`), so readers of stored objects write `obj.get("endpoints") or []`.
"""

from __future__ import annotations

from typing import Any

from cluster.errors import BadRequest
from cluster.schema import definitions, unknown
from cluster.schema.fill import filler
from cluster.schema.plan import Seen, plan
from cluster.schema.scalars import Mismatch

__all__ = ["Mismatch", "check", "fill", "normalise"]


def check(definition: str, obj: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Decode in place. Returns (type errors in the decoder's words, at most one; paths of the dropped fields)."""
    seen = Seen()
    try:
        plan(definition)(obj, seen)
    except Mismatch as error:
        return [error.message()], []
    return [], unknown.drop(definitions.get(definition), obj) if seen.unknown else []


def normalise(definition: str, obj: dict[str, Any]) -> list[str]:
    """Like `check`, and raises BadRequest on a type error. Returns the paths of the dropped unknown fields."""
    errors, dropped = check(definition, obj)
    if errors:
        raise BadRequest(errors[0])
    return dropped


def fill(definition: str, obj: dict[str, Any]) -> dict[str, Any]:
    """Complete an object before it is stored; see `cluster.schema.fill`. In place; returns the object."""
    filler(definition)(obj)
    return obj
