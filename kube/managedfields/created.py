"""The set of what the creation of an object sets, compiled like `whole`: what `compare` finds against nothing.

A field that Kubernetes always writes is not set by giving its zero value, and a struct that is always there is not set
itself, only what is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from kube.managedfields.sets import SELF, Node
from kube.managedfields.whole import LEAF, step_of
from kube.memo import Memo, digest
from kube.schema import definitions
from kube.schema.scalars import zero_of
from kube.schema.types import ALWAYS, NULL, Field, Ref, Struct, Type

Maybe = Callable[[Any], Node | None]
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_steps: dict[str, tuple[Type, Maybe]] = {}
_known: Memo[Node] = Memo(1024)


def fields_of(
    definition: str, obj: dict[str, Any], unowned: Collection[str], unowned_meta: Collection[str]
) -> Node | None:
    """The set of a new object of a kind, without some of its fields and some of its metadata. None when it is empty."""
    step = _of_definition(definition)
    meta = {key: value for key, value in obj["metadata"].items() if key not in unowned_meta}
    rest = {key: value for key, value in obj.items() if key not in unowned and key != "metadata"}
    same = digest(rest)
    node = _known.get((step, same))
    if node is None:
        node = step(rest) or {}
        if same:
            _known[step, same] = node
    mine = _of_definition(_META)(meta) if meta else None
    return {**node, "f:metadata": mine} if mine else node or None


def _of_definition(name: str) -> Maybe:
    """A definition's step; compiled again when a custom kind's type was replaced."""
    target = definitions.get(name)
    known = _steps.get(name)
    if known is None or known[0] is not target:
        known = _steps[name] = (target, _within(target))
    return known[1]


def _within(kind: Type) -> Maybe:
    """What a value sets inside of a container that was there before, empty. None: nothing."""
    if isinstance(kind, Struct) and not kind.atomic:
        return _struct(kind)
    step = step_of(kind)
    if step is None:
        return lambda value: LEAF

    def run(value: Any) -> Node | None:
        node = step(value)
        return {key: child for key, child in node.items() if key != SELF} or None if node else LEAF

    return run


def _struct(kind: Struct) -> Maybe:
    known = {key: ("f:" + key, _field(field)) for key, field in kind.fields.items()}

    def run(value: Any) -> Node | None:
        if value.__class__ is not dict:
            return LEAF
        node: Node = {}
        for key, item in value.items():
            name, step = known.get(key) or ("f:" + key, None)
            child = LEAF if step is None else step(item)
            if child is not None:
                node[name] = child
        return node or None

    return run


def _field(field: Field) -> Maybe | None:
    """None for a leaf that is set whenever it is there."""
    if field.encoding not in (ALWAYS, NULL):
        return step_of(field.type)
    if field.encoding == ALWAYS and isinstance(field.type, Ref):
        # A struct that is always there; looked up when it is first met, since definitions refer to each other.
        name = field.type.name
        return lambda value: _of_definition(name)(value) if value != {} else None
    zero = zero_of(field)
    within = _within(definitions.resolve(field.type))

    def run(value: Any) -> Node | None:
        return None if value == zero and value.__class__ is zero.__class__ else within(value)

    return run
