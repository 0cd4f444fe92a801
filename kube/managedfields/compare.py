"""What a write changed, as sets of field paths.

Objects are compared as Kubernetes shows them, without having to be completed first: a field that Kubernetes always
writes (`Field.encoding`) counts as present with its zero value.
"""

from __future__ import annotations

from typing import Any

from kube.managedfields.sets import SELF, Node, union
from kube.managedfields.whole import elements, everything
from kube.objects import Json
from kube.schema.definitions import resolve
from kube.schema.scalars import zero_of
from kube.schema.types import ALWAYS, NULL, Field, ListOf, MapOf, Scalar, Struct, Type

Change = tuple[Node | None, Node | None]
_UNKNOWN = Field(Scalar("any"))


def is_leaf(kind: Type, value: Any) -> bool:
    """Whether a value is owned as a whole."""
    if isinstance(kind, Struct | MapOf):
        return kind.atomic or not isinstance(value, dict)
    return not isinstance(kind, ListOf) or kind.merge == "atomic" or not isinstance(value, list)


def field_of(kind: Struct | MapOf, key: str) -> Field:
    return kind.fields.get(key, _UNKNOWN) if isinstance(kind, Struct) else Field(kind.value)


def contents(kind: Type, value: Any) -> Node | None:
    """Like `everything`, where the container itself was there before (empty)."""
    node = everything(kind, value)
    return {key: child for key, child in node.items() if key != SELF} or None


def compare(kind: Type, old: Any, new: Any) -> Change:
    """(paths added or changed, paths removed) between two objects of a type."""
    kind = resolve(kind)
    if old == new and type(old) is type(new):
        return None, None
    # A value that is owned as a whole, or that changed between null and a container.
    if is_leaf(kind, new):
        return {}, contents(kind, old) if not is_leaf(kind, old) else None
    if is_leaf(kind, old):
        return contents(kind, new), None
    if isinstance(kind, ListOf):
        return _lists(kind, old, new)
    return _objects(kind, old, new)  # type: ignore[arg-type]


def _lists(kind: ListOf, old: list[Any], new: list[Any]) -> Change:
    before, after = _by_element(kind, old), _by_element(kind, new)
    changed: Node = {}
    removed: Node = {}
    for key in {**before, **after}:
        _note(changed, removed, key, _items(kind, before.get(key, []), after.get(key, [])))
    return changed or None, removed or None


def _by_element(kind: ListOf, items: list[Any]) -> dict[str, list[Any]]:
    """The items by their path elements: more than one where an element is there twice."""
    found: dict[str, list[Any]] = {}
    for key, item in zip(elements(kind, items), items, strict=True):
        found.setdefault(key, []).append(item)
    return found


def _items(kind: ListOf, old: list[Any], new: list[Any]) -> Change:
    """The change of what has one path element. Items that are there twice are owned as a whole, together."""
    if len(old) > 1 and len(new) > 1:
        return {} if old != new else None, None
    if len(old) > 1:
        return everything(kind.item, new[0]) if new else None, {}
    if len(new) > 1:
        return {}, contents(kind.item, old[0]) if old else None
    if not old:
        return everything(kind.item, new[0]), None
    if not new:
        return None, everything(kind.item, old[0])
    return compare(kind.item, old[0], new[0]) if kind.merge == "map" else (None, None)


def _note(changed: Node, removed: Node, key: str, change: Change) -> None:
    if change[0] is not None:
        changed[key] = change[0]
    if change[1] is not None:
        removed[key] = change[1]


def _objects(kind: Struct | MapOf, old: Json, new: Json) -> Change:
    changed: Node = {}
    removed: Node = {}
    for key, value in new.items():
        field = field_of(kind, key)
        if key in old:
            _note(changed, removed, "f:" + key, compare(field.type, old[key], value))
        elif field.encoding not in (ALWAYS, NULL) or not isinstance(kind, Struct):
            changed["f:" + key] = everything(field.type, value)
        else:
            _note(changed, removed, "f:" + key, compare(field.type, zero_of(field), value))
    for key, value in old.items():
        if key not in new:
            field = field_of(kind, key)
            if isinstance(kind, Struct) and field.encoding in (ALWAYS, NULL):
                _note(changed, removed, "f:" + key, compare(field.type, value, zero_of(field)))
            else:
                removed["f:" + key] = everything(field.type, value)
    return changed or None, removed or None


def applied(kind: Type, value: Any) -> Node | None:
    """The set of an applied configuration: leaves, list items, and containers that are empty."""
    kind = resolve(kind)
    if is_leaf(kind, value):
        return {}
    node: Node = {}
    if isinstance(kind, ListOf):
        for name, item in zip(elements(kind, value), value, strict=True):
            node[name] = union({}, applied(kind.item, item))
    else:
        for key, item in value.items():
            node["f:" + key] = applied(field_of(kind, key).type, item)  # type: ignore[arg-type]
    return node
