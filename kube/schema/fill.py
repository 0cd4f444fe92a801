"""Completes an object before it is stored: adds what Go's encoder always writes, leaves out what it never does.

Strategies may leave fields out that Kubernetes always shows (`status: {}`, `lastTransitionTime: null`, `image: ""`)
and may leave empty ones in. `fill` runs once, last, over the definition's structs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from kube.memo import Memo, digest
from kube.schema import definitions
from kube.schema.scalars import zero_of
from kube.schema.types import ALWAYS, NULL, OMIT, ListOf, MapOf, Ref, Struct, Type

_STORED_AS_JSON = "io.k8s.apiextensions-apiserver."
Filler = Callable[[Any], Any]
_lock = threading.RLock()
_fillers: dict[str, Filler | None] = {}


def filler(name: str) -> Filler:
    """The compiled completion of a definition."""
    if name not in _fillers:
        with _lock:
            _fillers[name] = _compile(definitions.get(name))
    return _fillers[name] or (lambda obj: obj)


def forget(name: str) -> None:
    _fillers.pop(name, None)


def _compile(kind: Type) -> Filler | None:
    """None where there is nothing to complete below."""
    match kind:
        case Ref(name=name):
            return _reference(name)
        case Struct():
            return _struct(kind)
        case ListOf(item=item):
            return _each(_compile(item), list)
        case MapOf(value=value):
            return _each(_compile(value), dict)
    return None


def _reference(name: str) -> Filler | None:
    target = definitions.get(name)
    if not isinstance(target, Struct):
        return _compile(target)

    step = _fillers.get(name)

    def late(obj: Any) -> Any:
        nonlocal step
        if step is None:
            step = filler(name)
        return step(obj)

    return step or late


def _each(step: Filler | None, container: type) -> Filler | None:
    if step is None:
        return None

    def items(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                step(item)

    def values(value: Any) -> None:
        if isinstance(value, dict):
            for item in value.values():
                step(item)

    return items if container is list else values


def _remembering(step: Filler) -> Filler:
    """The completion of specs; one that was found complete before is not walked through again."""
    complete: Memo[bool] = Memo(1024)

    def run(spec: Any) -> Any:
        before = digest(spec)
        if before not in complete:
            step(spec)
            if before and digest(spec) == before:
                complete[before] = True
        return spec

    return run


def _struct(kind: Struct) -> Filler:
    below = {key: step for key, f in kind.fields.items() if (step := _compile(f.type))}
    if "metadata" in kind.fields and "spec" in below:
        below["spec"] = _remembering(below["spec"])
    omitted = frozenset(key for key, f in kind.fields.items() if f.encoding == OMIT)
    blanks = tuple((key, zero_of(f)) for key, f in kind.fields.items() if f.encoding in (ALWAYS, NULL))
    # Kubernetes stores objects as protobuf, which does not tell an empty list from none. Definitions it stores as JSON.
    vanishing = frozenset(
        key
        for key, f in kind.fields.items()
        if f.encoding == ALWAYS and isinstance(f.type, ListOf) and not kind.name.startswith(_STORED_AS_JSON)
    )
    nested = frozenset(key for key, f in kind.fields.items() if f.encoding == ALWAYS and isinstance(f.type, Ref))
    get_step, always = below.get, frozenset(key for key, _ in blanks)

    def struct(obj: Any) -> Any:
        if obj.__class__ is not dict:
            return obj
        if always <= obj.keys() and all(obj.values()):  # the common case, found out without a look at each field
            if below:
                for key, value in obj.items():
                    if (step := get_step(key)) is not None:
                        step(value)
            return obj
        dropped = None
        for key, blank in blanks:
            if obj.get(key) is None:
                obj[key] = {} if key in nested else blank
        for key, value in obj.items():
            if (step := get_step(key)) is not None and (value or key not in omitted):
                step(value)
            elif not value and key in omitted:
                dropped = [key] if dropped is None else [*dropped, key]
            if not value and key in vanishing:
                obj[key] = None
        if dropped:
            for key in dropped:
                del obj[key]
        return obj

    return struct
