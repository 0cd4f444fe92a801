"""What a schema says of how lists and maps are merged: atomic or by their parts, and what tells the parts apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kube import errors as e
from kube.errors import FieldError
from kube.objects import Json

_LIST, _MAP, _KEYS = "x-kubernetes-list-type", "x-kubernetes-map-type", "x-kubernetes-list-map-keys"
_NON_SCALAR = ("array", "object")


def check(schema: Json, path: str) -> Iterator[FieldError]:
    """The errors of one schema at `path`, not of those below it."""
    for key, kind, choices in ((_MAP, "object", ("atomic", "granular")), (_LIST, "array", ("atomic", "set", "map"))):
        how, found = schema.get(key), schema.get("type")
        if how is not None and found != kind:
            text = f"must be {kind} if {key} is specified"
            yield e.invalid(f"{path}.type", found, text) if found else e.required(f"{path}.type", text)
        if how is not None and how not in choices:
            yield e.not_supported(f"{path}.{key}", how, choices)
    merge, items = schema.get(_LIST), schema.get("items")
    if merge == "set" and schema.get("type") == "array" and isinstance(items, dict):
        yield from _check_set(items, f"{path}.items")
    if schema.get(_KEYS) and merge != "map":
        text = f"must be map if {_KEYS} is non-empty"
        place = f"{path}.{_LIST}"
        yield e.required(place, text) if merge is None else e.invalid(place, merge, text)
    if merge == "map":
        yield from _check_map(schema, items, path)
    if merge in ("set", "map") and isinstance(items, dict) and items.get("nullable"):
        yield e.forbidden(f"{path}.items.nullable", f"cannot be nullable when {_LIST} is {merge}")


def is_set_of_parts(schema: Json) -> bool:
    """Whether a schema is of a set whose items are no scalars: neither rules nor apply can tell such items apart."""
    items = schema.get("items")
    return schema.get(_LIST) == "set" and isinstance(items, dict) and items.get("type") in _NON_SCALAR


def _check_set(items: Json, path: str) -> Iterator[FieldError]:
    text = f"must be atomic as item of a list with {_LIST}=set"
    if items.get("type") == "array" and items.get(_LIST, "atomic") != "atomic":
        yield e.invalid(f"{path}.{_LIST}", items[_LIST], text)
    if items.get("type") == "object" and items.get(_MAP) != "atomic":
        yield e.invalid(f"{path}.{_MAP}", items.get(_MAP), text)


def _check_map(schema: Json, items: Any, path: str) -> Iterator[FieldError]:
    keys: list[str] = schema.get(_KEYS) or []
    if not keys:
        yield e.required(f"{path}.{_KEYS}", f"must not be empty if {_LIST} is map")
    if not isinstance(items, dict):
        text = f"must have a schema if {_LIST} is map"
        yield e.required(f"{path}.items", text)
        return
    if items.get("type") != "object":
        text = f"must be object if parent array's {_LIST} is map"
        yield e.invalid(f"{path}.items.type", items.get("type", ""), text)
        return
    for i, key in enumerate(keys):
        yield from _check_key(key, items, path, keys)
        if key in keys[:i]:
            yield e.invalid(f"{path}.{_KEYS}", keys, "must not contain duplicate entries")


def _check_key(key: str, items: Json, path: str, keys: list[str]) -> Iterator[FieldError]:
    place, prop = f"{path}.items.properties[{key}]", (items.get("properties") or {}).get(key)
    if prop is None:
        yield e.invalid(f"{path}.{_KEYS}", keys, "entries must all be names of item properties")
        return
    if prop.get("type") in _NON_SCALAR:
        text = f"must be a scalar type if parent array's {_LIST} is map"
        yield e.invalid(f"{place}.type", items.get("type"), text)
    needs = f"this property is in {_KEYS}, so it"
    if key not in (items.get("required") or ()) and prop.get("default") is None:
        yield e.required(f"{place}.default", f"{needs} must have a default or be a required property")
    if prop.get("nullable"):
        yield e.forbidden(f"{place}.nullable", f"{needs} cannot be nullable")
