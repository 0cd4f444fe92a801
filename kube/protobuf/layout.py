"""Which field of a message has which number, name and type.

A message in `fields.json` is a list of field names in the order of their numbers, counted from 1; a number among them
is that of the name that follows. `>Name` is a message of the same package whose fields stand in the JSON object
itself; `name*` is a list wrapped in a message of its own.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import orjson

from kube.schema import definitions
from kube.schema.types import (
    ANY,
    BOOL,
    INT32,
    INT64,
    INT_OR_STRING,
    MICROTIME,
    OMIT,
    QUANTITY,
    STRING,
    TIME,
    ListOf,
    MapOf,
    Ref,
    Scalar,
    Struct,
    Type,
)

RAW = "raw"  # a scalar of this package alone: bytes as they are

_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
_SCHEMA = Ref(_EXTENSIONS + "JSONSchemaProps")
SCHEMA_OR_LIST, SCHEMA_OR_BOOL, SCHEMA_OR_NAMES = "schema-or-list", "schema-or-bool", "schema-or-names"
# OpenAPI says of these only that they hold any JSON; each is a message of its own.
_SCHEMA_FIELDS: dict[str, Type] = {
    "items": Scalar(SCHEMA_OR_LIST),
    "additionalItems": Scalar(SCHEMA_OR_BOOL),
    "additionalProperties": Scalar(SCHEMA_OR_BOOL),
    "dependencies": MapOf(Scalar(SCHEMA_OR_NAMES)),
}


class Slot(NamedTuple):
    """One field of a message. `inline` names a message whose fields are spread over the object; then `key` is ""."""

    number: int
    key: str
    type: Type
    omit: bool = False
    wrapped: bool = False
    inline: str = ""


def _message(*slots: tuple[int, str, Type]) -> tuple[Slot, ...]:
    return tuple(Slot(*slot) for slot in slots)


_TIME = _message((1, "seconds", Scalar(INT64)), (2, "nanos", Scalar(INT32)))
# Messages that are no object in JSON: the envelope, and the inside of scalars.
SPECIAL: dict[str, tuple[Slot, ...]] = {
    "TypeMeta": _message((1, "apiVersion", Scalar(STRING)), (2, "kind", Scalar(STRING))),
    "Unknown": _message(
        (1, "typeMeta", Ref("TypeMeta")),
        (2, "raw", Scalar(RAW)),
        (3, "contentEncoding", Scalar(STRING)),
        (4, "contentType", Scalar(STRING)),
    ),
    "RawExtension": _message((1, "raw", Scalar(RAW))),
    "WatchEvent": _message((1, "type", Scalar(STRING)), (2, "object", Ref("RawExtension"))),
    QUANTITY: _message((1, "string", Scalar(STRING))),
    INT_OR_STRING: _message((1, "type", Scalar(INT64)), (2, "intVal", Scalar(INT32)), (3, "strVal", Scalar(STRING))),
    TIME: _TIME,
    MICROTIME: _TIME,
    ANY: _message((1, "raw", Scalar(RAW))),
    SCHEMA_OR_LIST: _message((1, "schema", _SCHEMA), (2, "list", ListOf(_SCHEMA))),
    SCHEMA_OR_BOOL: _message((1, "allows", Scalar(BOOL)), (2, "schema", _SCHEMA)),
    SCHEMA_OR_NAMES: _message((1, "schema", _SCHEMA), (2, "names", ListOf(Scalar(STRING)))),
}


@cache
def _table() -> dict[str, dict[str, str]]:
    loaded: dict[str, dict[str, str]] = orjson.loads((Path(__file__).parent / "fields.json").read_bytes())
    return loaded


def knows(name: str) -> bool:
    """Whether a definition has a protobuf form."""
    package, _, message = name.rpartition(".")
    return message in _table().get(package, ())


def packages() -> dict[str, dict[str, str]]:
    """The whole table, as in the file: for tests and tools."""
    return _table()


def slots(name: str, owner: str = "") -> tuple[Slot, ...]:
    """The fields of a message. `owner` is the definition whose fields these are, where the message is spread in one.

    Raises KeyError where the table or the definitions lack the name.
    """
    if name in SPECIAL:
        return SPECIAL[name]
    kind = definitions.get(owner or name)
    if not isinstance(kind, Struct):
        raise KeyError(f"definition {owner or name!r} is no struct")
    package, _, message = name.rpartition(".")
    found: list[Slot] = []
    number = 1
    for word in _table()[package][message].split():
        if word.isdigit():
            number = int(word)
            continue
        key = word.rstrip("*")
        if word[0] == ">":
            found.append(Slot(number, "", Ref(kind.name), inline=f"{package}.{word[1:]}"))
        elif key in kind.fields:  # definitions of another version may lack a field
            field = kind.fields[key]
            special = _SCHEMA_FIELDS.get(key) if kind.name == _SCHEMA.name else None
            found.append(Slot(number, key, special or field.type, field.encoding == OMIT, word.endswith("*")))
        number += 1
    return tuple(found)
