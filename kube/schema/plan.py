"""Decoding compiled: one closure per definition that checks, canonicalises and prunes an object in a single pass.

This is on the path of every write. A plan changes the object in place as a round trip through Kubernetes' Go types
would: quantities and times canonical, nulls and empty `omitempty` values dropped, plain structs present. It raises
`Mismatch` on the first value of a wrong type, and reports through `Seen` that there are unknown fields; their paths
are worked out (and the fields dropped) by `kube.schema.unknown`, off the fast path.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from kube.schema import definitions, scalars
from kube.schema.scalars import Mismatch
from kube.schema.types import ALWAYS, ANY, OMIT, ListOf, MapOf, Ref, Scalar, Struct, Type, go_type

Step = Callable[[Any, "Seen"], Any]
_PLAIN = {"string": str, "bool": bool}


class Seen:
    """What a pass noticed beside errors: `unknown` tells that some field is not in its definition."""

    __slots__ = ("unknown",)

    def __init__(self) -> None:
        self.unknown = False


_lock = threading.RLock()
_plans: dict[str, Step] = {}


def plan(name: str) -> Step:
    """The plan of a definition, compiled at first use: `plan(name)(value, seen) -> value`."""
    found = _plans.get(name)
    if found is None:
        with _lock:
            found = _plans.get(name) or _plans.setdefault(name, _compile(definitions.get(name)))
    return found


def forget(name: str) -> None:
    """Drop the plan of a custom kind that changed."""
    _plans.pop(name, None)


def _compile(kind: Type, install: Callable[[Step], None] | None = None) -> Step:
    match kind:
        case Ref(name=name):
            return _reference(name, install)
        case Struct():
            return _struct(kind)
        case ListOf():
            return _list(kind)
        case MapOf():
            return _map(kind)
        case Scalar(name=name):
            return scalars.STEPS[name]
    raise TypeError(kind)


def _reference(name: str, install: Callable[[Step], None] | None) -> Step:
    """Compiles the definition when a value first needs it: definitions refer to each other in circles.

    `install` then puts the compiled step in the place of this one.
    """

    def late(value: Any, seen: Seen) -> Any:
        step = plan(name)
        if install is not None:
            install(step)
        return step(value, seen)

    return _plans.get(name) or late


def _struct(kind: Struct) -> Step:
    plain = {
        key: _PLAIN[f.type.name]
        for key, f in kind.fields.items()
        if isinstance(f.type, Scalar) and f.type.name in _PLAIN
    }
    steps: dict[str, Step] = {}
    for key, field in kind.fields.items():
        steps[key] = _compile(field.type, partial(steps.__setitem__, key))
    blanks = tuple(key for key, f in kind.fields.items() if f.encoding == ALWAYS and isinstance(f.type, Ref))
    omitted = frozenset(key for key, f in kind.fields.items() if f.encoding == OMIT and f.type != Scalar(ANY))
    name, preserve, as_type = kind.go_name, kind.preserve, go_type(kind)
    plain_of, step_of = plain.get, steps.get

    def struct(obj: Any, seen: Seen) -> Any:
        if obj.__class__ is not dict:
            if obj is not None:
                raise Mismatch(obj, as_type)
            obj = {}
        dropped: list[str] | None = None
        key = ""
        try:
            for key, value in obj.items():
                if value and plain_of(key) is value.__class__:
                    continue
                if (step := step_of(key)) is None:
                    if not preserve:
                        seen.unknown = True
                elif value is None:
                    dropped = [key] if dropped is None else [*dropped, key]
                elif (new := step(value, seen)) is not value:
                    obj[key] = new
                elif not value and key in omitted:
                    dropped = [key] if dropped is None else [*dropped, key]
        except Mismatch as error:
            raise error.inside(name, key) from None
        if dropped:
            for key in dropped:
                del obj[key]
        for key in blanks:
            if key not in obj:
                obj[key] = steps[key](None, seen)
        return obj

    return struct


def _list(kind: ListOf) -> Step:
    step: Step = scalars.STEPS[ANY]

    def install(compiled: Step) -> None:
        nonlocal step
        step = compiled

    install(_compile(kind.item, install))
    as_type = go_type(kind)
    strings = kind.item == Scalar("string")

    def run(items: Any, seen: Seen) -> Any:
        if items.__class__ is not list:
            raise Mismatch(items, as_type)
        for place, item in enumerate(items):
            if strings and item.__class__ is str:
                continue
            new = step(item, seen)
            if new is not item:
                items[place] = new
        return items

    return run


def _map(kind: MapOf) -> Step:
    step: Step = scalars.STEPS[ANY]

    def install(compiled: Step) -> None:
        nonlocal step
        step = compiled

    install(_compile(kind.value, install))
    as_type = go_type(kind)
    strings = kind.value == Scalar("string")

    def run(entries: Any, seen: Seen) -> Any:
        if entries.__class__ is not dict:
            raise Mismatch(entries, as_type)
        for key, value in entries.items():
            if strings and value.__class__ is str:
                continue
            new = step(value, seen)
            if new is not value:
                entries[key] = new
        return entries

    return run
