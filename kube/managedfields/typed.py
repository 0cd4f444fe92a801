"""Checks that an applied configuration fits its type: declared fields, right types, no list item twice."""

from __future__ import annotations

from typing import Any

from kube.errors import BadRequest
from kube.managedfields.compare import field_of
from kube.managedfields.sets import paths
from kube.managedfields.whole import elements
from kube.schema.definitions import resolve
from kube.schema.types import ListOf, MapOf, Scalar, Struct, Type

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "bytes": (str,),
    "int32": (int,),
    "int64": (int,),
    "double": (int, float),
    "bool": (bool,),
    "time": (str,),
    "microtime": (str,),
    "quantity": (str, int, float),
    "int-or-string": (str, int),
    "object": (dict,),
}
_NAMES = {
    "int32": "numeric (int or float)",
    "int64": "numeric (int or float)",
    "double": "numeric (int or float)",
    "bool": "boolean",
}


def check(kind: Type, config: dict[str, Any], what: str) -> None:
    """Raises BadRequest; `what` names the object as in `/x; apps/v1, Kind=Deployment`."""
    problems = _check(kind, config, "")
    if problems:
        text = "\n  ".join(problems) if len(problems) == 1 else "errors:\n  " + "\n  ".join(problems)
        raise BadRequest(f"failed to create typed patch object ({what}): {text}")


def _check(kind: Type, value: Any, path: str) -> list[str]:
    kind = resolve(kind)
    if value is None:
        return []
    problems: list[str] = []
    match kind:
        case Scalar(name=name):
            wanted = _TYPES.get(name)
            if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and name != "bool")):
                return [f"{path}: expected {_NAMES.get(name, 'string')}, got {value!r}"]
        case ListOf():
            if not isinstance(value, list):
                return [f"{path}: expected list, got {value!r}"]
            seen: set[str] = set()
            for key, item in zip(elements(kind, value), value, strict=True):
                place = paths({key: {}})[0]
                if key in seen and kind.merge != "atomic":
                    problems.append(f"{path}: duplicate entries for key {place}")
                seen.add(key)
                problems += _check(kind.item, item, path + place)
        case Struct() | MapOf():
            if not isinstance(value, dict):
                return [f"{path}: expected map, got {value!r}"]
            for key, item in value.items():
                if isinstance(kind, Struct) and key not in kind.fields:
                    problems += [] if kind.preserve else [f"{path}.{key}: field not declared in schema"]
                else:
                    problems += _check(field_of(kind, key).type, item, f"{path}.{key}")
    return problems
