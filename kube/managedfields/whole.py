"""The set of all paths of a new value, compiled: one closure per definition. This is on the path of every creation."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from itertools import count
from typing import Any

import orjson

from kube.managedfields.sets import SELF, Node
from kube.schema import definitions
from kube.schema.types import ALWAYS, NULL, ListOf, MapOf, Ref, Struct, Type

Step = Callable[[Any], Node]
# The one node of all leaves: sets are never changed in place.
LEAF: Node = {}
_lock = threading.RLock()
_steps: dict[str, tuple[Type, Step | None]] = {}


def step_of(kind: Type) -> Step | None:
    """The function from a value of a type to its set; None for leaves, whose set is the path itself."""
    if isinstance(kind, Ref):
        return _of_definition(kind.name)
    if isinstance(kind, Struct):
        return None if kind.atomic else _struct(kind)
    if isinstance(kind, MapOf):
        return None if kind.atomic else _map(kind)
    if isinstance(kind, ListOf) and kind.merge != "atomic":
        return _set if kind.merge == "set" else _list(kind)
    return None


def everything(kind: Type, value: Any) -> Node:
    """The set of a value that is new: all of it, containers included."""
    step = step_of(kind)
    return LEAF if step is None else step(value)


def _of_definition(name: str) -> Step | None:
    """A definition's step, compiled when first needed; again when a custom kind's type was replaced."""
    target = definitions.get(name)
    known = _steps.get(name)
    if known is None or known[0] is not target:
        with _lock:
            if isinstance(target, Struct) and not target.atomic:
                _steps[name] = (target, lambda value: _compiled(name, target)(value))
                _steps[name] = (target, _struct(target))
            else:
                _steps[name] = (target, step_of(target))
    return _steps[name][1]


def _compiled(name: str, target: Type) -> Step:
    """For definitions that refer to themselves: the finished step, looked up when it runs."""
    step = _steps[name][1]
    assert step is not None and _steps[name][0] is target
    return step


def _struct(kind: Struct) -> Step:
    known = {key: ("f:" + key, step_of(field.type)) for key, field in kind.fields.items()}
    always = tuple((key, "f:" + key) for key, field in kind.fields.items() if field.encoding in (ALWAYS, NULL))

    def run(value: Any) -> Node:
        if value.__class__ is not dict:
            return LEAF
        node: Node = {SELF: LEAF}
        for key, item in value.items():
            name, step = known.get(key) or ("f:" + key, None)
            node[name] = LEAF if step is None else step(item)
        for key, name in always:
            if key not in value:
                node[name] = LEAF
        return node if len(node) > 1 else LEAF

    return run


def _map(kind: MapOf) -> Step:
    step = step_of(kind.value)

    def run(value: Any) -> Node:
        if value.__class__ is not dict or not value:
            return LEAF
        return {SELF: LEAF, **{"f:" + key: LEAF if step is None else step(item) for key, item in value.items()}}

    return run


def _set(value: Any) -> Node:
    if value.__class__ is not list or not value:
        return LEAF
    return {SELF: LEAF, **{"v:" + orjson.dumps(item).decode(): LEAF for item in value}}


def _list(kind: ListOf) -> Step:
    step, name_of = step_of(kind.item), namer(kind)

    def run(value: Any) -> Node:
        if value.__class__ is not list or not value:
            return LEAF
        node: Node = {SELF: LEAF}
        for place, item in enumerate(value):
            node[name_of(item, place)] = LEAF if step is None else step(item)
        if len(node) <= len(value):  # items that are there twice are owned as a whole
            node.update((name, LEAF) for name, times in Counter(map(name_of, value, count())).items() if times > 1)
        return node

    return run


def namer(kind: ListOf) -> Callable[[Any, int], str]:
    """The function from a list item and its index to its path element: its keys, its value, or its index."""
    if kind.merge == "set":
        return lambda item, index: "v:" + orjson.dumps(item).decode()
    if kind.merge != "map":
        return lambda item, index: f"i:{index}"
    target = definitions.resolve(kind.item)
    defaults = target.key_defaults if isinstance(target, Struct) else {}
    names = sorted(kind.keys)

    def keyed(item: Any, index: int) -> str:
        if item.__class__ is not dict:
            return f"i:{index}"
        values = tuple([item.get(name, defaults.get(name)) for name in names])
        if len(names) == 1 and values[0].__class__ is str:
            return _by_name(names[0], values[0])
        return _key_element(names, values)

    return keyed


def elements(kind: ListOf, items: list[Any]) -> list[str]:
    """The path elements of a list's items, in order."""
    name_of = namer(kind)
    return [name_of(item, index) for index, item in enumerate(items)]


def _key_element(names: list[str], values: tuple[Any, ...]) -> str:
    """Keys by name; one that is left out has its default: `protocol` of a port is TCP."""
    return (
        "k:"
        + orjson.dumps({name: value for name, value in zip(names, values, strict=True) if value is not None}).decode()
    )


@lru_cache(maxsize=4096)
def _by_name(name: str, value: str) -> str:
    """Most lists are keyed by one string, and most of those come again and again."""
    return _key_element([name], (value,))
