"""Strategic merge patch: a merge patch that knows from the definition which lists merge by a key.

Directives in a patch: `$patch: replace|delete|merge` in an object or a list item, `$setElementOrder/<list>` the order
wanted, `$deleteFromPrimitiveList/<list>` values to take away, `$retainKeys` the only fields to keep.
"""

from __future__ import annotations

from typing import Any

from kube.errors import BadRequest
from kube.objects import Json
from kube.patch import gotext
from kube.schema.definitions import resolve
from kube.schema.types import Field, ListOf, MapOf, Struct, Type

DIRECTIVE, RETAIN = "$patch", "$retainKeys"
ORDER, DELETE = "$setElementOrder/", "$deleteFromPrimitiveList/"


def apply(current: Json, patch: Json, kind: Type) -> Json:
    """The merged object; `current` and `patch` are used up. Raises BadRequest on a patch that contradicts itself."""
    return _object(current, patch, kind)


def _object(old: Json, patch: Json, kind: Type) -> Json:
    directive = patch.pop(DIRECTIVE, None)
    if directive == "replace":
        replaced: Json = _clean(patch)
        return replaced
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise BadRequest(f"unknown patch type: {directive} in map: {gotext.show({DIRECTIVE: directive, **patch})}")
    _retain(old, patch)
    for key in [key for key in patch if key.startswith(DELETE)]:
        unwanted, name = patch.pop(key), key[len(DELETE) :]
        if not isinstance(unwanted, list):
            raise BadRequest(f"{key} must be a list of the values to delete")
        if isinstance(old.get(name), list):
            old[name] = [item for item in old[name] if item not in unwanted]
    orders = {key[len(ORDER) :]: patch.pop(key) for key in list(patch) if key.startswith(ORDER)}
    for key, order in orders.items():
        _ordered_list(old, patch, key, order, _field(kind, key))
    for key, value in patch.items():
        field, before = _field(kind, key), old.get(key)
        if value is None:
            old.pop(key, None)
        elif isinstance(value, dict) and isinstance(before, dict) and "replace" not in field.patch:
            old[key] = _object(before, value, field.type)
        elif isinstance(value, list) and isinstance(before, list) and "merge" in field.patch:
            old[key] = _list(before, value, field, value)
        elif isinstance(value, dict) and value.get(DIRECTIVE) == "delete":
            old.pop(key, None)
        else:
            old[key] = _clean(value)
    return old


def _field(kind: Type, key: str) -> Field:
    """The field of a struct, or the value of a map, with its patch strategy."""
    kind = resolve(kind)
    if isinstance(kind, Struct) and key in kind.fields:
        return kind.fields[key]
    return Field(kind.value) if isinstance(kind, MapOf) else _UNKNOWN


_UNKNOWN = Field(Struct("unknown", {}))


def _clean(value: Any) -> Any:
    """A value that replaces or appears: without directives and nulls."""
    if isinstance(value, dict):
        return {key: _clean(v) for key, v in value.items() if v is not None and not _is_directive(key)}
    if isinstance(value, list):
        return [
            _clean(item)
            for item in value
            if not (isinstance(item, dict) and item.get(DIRECTIVE) in ("delete", "replace"))
        ]
    return value


def _is_directive(key: str) -> bool:
    return key in (DIRECTIVE, RETAIN) or key.startswith((ORDER, DELETE))


def _retain(old: Json, patch: Json) -> None:
    """`$retainKeys`: drop the old fields that are not listed; all fields of the patch must be."""
    keys = patch.pop(RETAIN, None)
    if keys is None:
        return
    if not isinstance(keys, list) or any(key not in keys for key in patch if not _is_directive(key)):
        raise BadRequest("invalid patch format of retainKeys")
    for key in [key for key in old if key not in keys]:
        del old[key]


def _ordered_list(old: Json, patch: Json, key: str, order: Any, field: Field) -> None:
    """A list for which the patch says the order; what the server alone has keeps its place among them."""
    changes, before = patch.pop(key, []), old.get(key)
    if changes is None:
        old.pop(key, None)
        return
    if not (isinstance(order, list) and isinstance(changes, list)):
        raise BadRequest(f"{ORDER}{key} and {key} must be lists")
    _check_order(changes, order, field.patch_key)
    if isinstance(before, list):
        old[key] = _list(before, changes, field, order)
    elif changes:
        old[key] = interleave(_clean(changes), order, [], field.patch_key)


def _list(old: list[Any], patch: list[Any], field: Field, order: list[Any]) -> list[Any]:
    """Merge a list by its key, or a list of plain values as a set. `order` is the order of the patch's part."""
    if not any(isinstance(item, dict | list) for item in [*old, *patch]):
        return interleave(list(dict.fromkeys([*old, *patch])), order, old, "")
    key = field.patch_key
    if not key:
        raise BadRequest("cannot merge lists without merge key")
    if any(isinstance(item, dict) and item.get(DIRECTIVE) == "replace" for item in patch):
        return [_clean(item) for item in patch if item.get(DIRECTIVE) != "replace"]
    kind = resolve(field.type)
    item_type = kind.item if isinstance(kind, ListOf) else kind
    result = list(old)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise BadRequest(f"map: {gotext.show(item)} does not contain declared merge key: {key}")
        if item.get(DIRECTIVE) == "delete":
            result = [other for other in result if other.get(key) != item[key]]
        else:
            _merge_item(result, item, key, item_type)
    kept = [item for item in order if not (isinstance(item, dict) and item.get(DIRECTIVE) == "delete")]
    return interleave(result, kept, old, key)


def _merge_item(items: list[Any], change: Json, key: str, kind: Type) -> None:
    """Merge a change into the item with the same key, or add it."""
    directive = change.get(DIRECTIVE)
    if directive not in (None, "merge"):
        raise BadRequest(f"unknown patch type: {directive} in map: {gotext.show(change)}")
    for place, item in enumerate(items):
        if isinstance(item, dict) and item.get(key) == change[key]:
            items[place] = _object(item, change, kind)
            return
    items.append(_clean(change))


def _identity(item: Any, key: str) -> Any:
    value = item.get(key) if key and isinstance(item, dict) else item
    return repr(value) if isinstance(value, dict | list) else value


def _check_order(patch: list[Any], order: list[Any], key: str) -> None:
    """The patch's items must be in the order that `$setElementOrder` lists; deleted ones need not be in it."""
    places = {_identity(item, key): place for place, item in enumerate(order)}
    named = [item for item in patch if not (isinstance(item, dict) and item.get("$patch") in ("delete", "replace"))]
    found = [places.get(_identity(item, key), -1) for item in named]
    if -1 in found or found != sorted(found):
        raise BadRequest(
            f"The order in patch list:\n{gotext.show(patch)}\n doesn't match $setElementOrder list:\n"
            f"{gotext.show(order)}\n"
        )


def interleave(items: list[Any], order: list[Any], server: list[Any], key: str) -> list[Any]:
    """Sort `items`: those named in `order` by it, the others as in `server`, and both among each other by `server`.

    An item that the server did not have comes before the next item that only the server has.
    """
    wanted = {_identity(item, key): place for place, item in enumerate(order)}
    had = {_identity(item, key): place for place, item in reversed(list(enumerate(server)))}
    named = sorted((i for i in items if _identity(i, key) in wanted), key=lambda i: wanted[_identity(i, key)])
    others = [i for i in items if _identity(i, key) not in wanted]
    result: list[Any] = []
    while named and others:
        left, right = had.get(_identity(named[0], key), -1), had.get(_identity(others[0], key), len(server))
        result.append((named if left < right else others).pop(0))
    return result + named + others
