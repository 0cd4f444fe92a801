"""Schemas of all kinds: decoding as kube-apiserver decodes, canonical forms, and completion before storing.

The path of a write: `parse` the body to JSON, `check` it for its kind (types checked, unknown fields reported and
dropped, quantities and times canonical, nulls dropped), then defaults, admission and validation, and last `fill`.

Between `check` and `fill` no field is null, and plain structs (`metadata`, `spec`, `resources`) are present; scalars
and lists may be absent. After `fill` the object is what Kubernetes would show: fields without `omitempty` are there
(`status: {}`, `containers: null`), so readers of stored objects write `obj.get("endpoints") or []`.

A custom kind has no Go type: its schema prunes and validates (`kube.crd`), and it says so here with `add_custom`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kube.errors import BadRequest
from kube.registry import Kind
from kube.schema import definitions, unknown
from kube.schema.body import json_error, parse
from kube.schema.fill import filler
from kube.schema.plan import Seen, plan
from kube.schema.scalars import Mismatch

__all__ = [
    "Mismatch",
    "add_custom",
    "check",
    "decode_fields",
    "fill",
    "is_custom",
    "json_error",
    "normalise",
    "parse",
    "remove_custom",
]

Pruner = Callable[[dict[str, Any]], list[str]]
_custom: dict[str, Pruner] = {}


def add_custom(definition: str, prune: Pruner) -> None:
    """Register a custom kind: `prune(obj)` drops unknown fields in place and returns their paths."""
    _custom[definition] = prune


def remove_custom(definition: str) -> None:
    _custom.pop(definition, None)


def is_custom(definition: str) -> bool:
    return definition in _custom


def check(definition: str, obj: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Decode in place. Returns (type errors in the decoder's words, at most one; paths of the dropped fields)."""
    try:
        return [], _decode(definition, obj)
    except Mismatch as error:
        return [error.message()], []


def decode_fields(
    kind: Kind, obj: dict[str, Any], field_validation: str = "Ignore", problems: Sequence[str] = ()
) -> list[str]:
    """Decode in place; returns warnings about unknown fields, after `problems` of the text, as `strict`.

    Raises Mismatch on a wrong type.
    """
    found = _decode(kind.definition, obj)
    if field_validation == "Ignore" or not (found or problems):
        return []
    return strict(kind, obj, [*problems, *(f'unknown field "{path}"' for path in found)], field_validation)


def strict(kind: Kind, obj: dict[str, Any], problems: list[str], field_validation: str) -> list[str]:
    """What becomes of unknown and duplicate fields: BadRequest for `Strict`, returned as warnings for `Warn`."""
    if problems and field_validation == "Strict":
        raise cannot_handle(kind, obj, "strict decoding error: " + ", ".join(problems))
    return problems if field_validation == "Warn" else []


def cannot_handle(kind: Kind, obj: dict[str, Any], detail: str) -> BadRequest:
    name, version = obj.get("kind") or kind.kind, str(obj.get("apiVersion") or kind.version).rsplit("/", 1)[-1]
    return BadRequest(f'{name} in version "{version}" cannot be handled as a {kind.kind}: {detail}')


def _decode(definition: str, obj: dict[str, Any]) -> list[str]:
    prune = _custom.get(definition)
    if prune:
        return prune(obj)
    seen = Seen()
    plan(definition)(obj, seen)
    return unknown.drop(definitions.get(definition), obj) if seen.unknown else []


def normalise(definition: str, obj: dict[str, Any]) -> list[str]:
    """Decode in place; returns the paths of the dropped unknown fields.

    Raises BadRequest on a value of a wrong type.
    """
    try:
        return _decode(definition, obj)
    except Mismatch as error:
        raise BadRequest(error.message()) from error


def fill(definition: str, obj: dict[str, Any]) -> dict[str, Any]:
    """Complete an object before it is stored; see `kube.schema.fill`. In place; returns the object.

    Custom kinds are stored as they are.
    """
    if definition and definition not in _custom:
        filler(definition)(obj)
    return obj
