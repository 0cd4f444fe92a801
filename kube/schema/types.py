"""The types of API documents: what a definition says about each field, in the few words the rest of the code needs.

One model serves decoding, strategic merge patches and server-side apply, for built-in kinds (from the OpenAPI
definitions) and for custom ones (from their schema). A `Ref` names a definition and is resolved when it is used, so
that recursive definitions work and nothing is loaded before it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Union

# What becomes of a field that is absent or zero, as Go's encoder does it.
ALWAYS = "a"  # written even when zero
OMIT = "z"  # left out when zero (omitempty on a plain value)
POINTER = "p"  # left out when null only (omitempty on a pointer)
NULL = "n"  # a pointer that is written as null when absent

STRING, INT32, INT64, DOUBLE, BOOL, BYTES = "string", "int32", "int64", "double", "bool", "bytes"
TIME, MICROTIME, QUANTITY, INT_OR_STRING = "time", "microtime", "quantity", "int-or-string"
ANY, OBJECT = "any", "object"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A leaf: `name` is one of the constants above. `any` holds any JSON, `object` any JSON object."""

    name: str


@dataclass(frozen=True, slots=True)
class Ref:
    """A definition by name; see `kube.schema.definitions.resolve`."""

    name: str


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list. `merge` is `atomic`, `set` or `map` (then `keys` tell its items apart)."""

    item: Type
    merge: str = "atomic"
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object with free keys; an `atomic` one is owned as a whole."""

    value: Type
    atomic: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a struct: its type, its encoding (one of the codes above), and how strategic patches treat it."""

    type: Type
    encoding: str = POINTER
    patch: tuple[str, ...] = ()
    patch_key: str = ""


@dataclass(frozen=True, slots=True)
class Struct:
    """An object with known fields. `preserve` keeps unknown ones; `name` is its definition."""

    name: str
    fields: dict[str, Field]
    atomic: bool = False
    preserve: bool = False
    key_defaults: dict[str, str] = field(default_factory=dict)

    @property
    def go_name(self) -> str:
        return self.name.rsplit(".", 1)[-1]


Type = Union[Scalar, Ref, ListOf, MapOf, Struct]  # noqa: UP007  (forward references inside)


def go_type(kind: Type) -> str:
    """The Go spelling of a type, as it stands in decoder errors: `[]v1.Container`, `map[string]string`."""
    match kind:
        case ListOf(item=item):
            return "[]" + go_type(item)
        case MapOf(value=value):
            return "map[string]" + go_type(value)
        case Ref(name=name) | Struct(name=name):
            return ".".join(name.split(".")[-2:])
        case Scalar(name=name):
            return _GO.get(name, name)
    raise TypeError(kind)


_GO = {
    DOUBLE: "float64",
    BYTES: "[]uint8",
    ANY: "interface {}",
    OBJECT: "map[string]interface {}",
    TIME: "v1.Time",
    MICROTIME: "v1.MicroTime",
    QUANTITY: "resource.Quantity",
    INT_OR_STRING: "intstr.IntOrString",
}
