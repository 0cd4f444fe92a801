"""What rules know of a value from its schema: the type that expressions are checked with, and how large it can become."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kube.cel import messages
from kube.cel.values import TIMES, escape
from kube.objects import Json

PRESERVE, INT_OR_STRING = "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"
EMBEDDED, LIST_TYPE, MAP_KEYS = (
    "x-kubernetes-embedded-resource",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
)
# The largest body that a server takes, in bytes: what has no bound of its own is bounded by it.
LARGEST = 3 * 1024 * 1024
PACKAGE = "kubernetes.schema"
_DYN = "dyn"
_TYPES = {"boolean": "bool", "integer": "int", "number": "double"}
_SMALLEST = {"bool": 4, "int": 1, "double": 1, "google.protobuf.Timestamp": 12, "google.protobuf.Duration": 3}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch
_TEXT = {"type": "string"}
RESOURCE = {
    "apiVersion": _TEXT,
    "kind": _TEXT,
    "metadata": {"type": "object", "properties": {"name": _TEXT, "generateName": _TEXT}},
}


@dataclass(slots=True)
class Declaration:
    """A type: `kind` in the engine's notation; `most` elements or characters; `least` bytes as JSON.

    `keys` are those of a list of type map, and `unordered` says that it or a set is meant.
    """

    kind: str
    most: int = 0
    least: int = 1
    fields: dict[str, Declaration] = field(default_factory=dict)
    items: Declaration | None = None
    keys: tuple[str, ...] = ()
    unordered: bool = False

    def below(self, step: str) -> Declaration | None:
        """What a step leads to: the name of a field, `@items`, `@values` or `@keys`."""
        if step == "@keys":
            return Declaration("string", least=2) if self.kind.startswith("map<") else Declaration("int")
        return self.items if step in ("@items", "@values") else self.fields.get(step)


class Schema:
    """The declarations of a schema, and the message types that the checker looks their fields up in."""

    def __init__(self, schema: Json, resource: bool) -> None:
        self.file = messages.new_file(f"{PACKAGE}.proto")
        self.file.package = PACKAGE
        self._made: dict[tuple[int, bool], Declaration | None] = {}
        self._kept: list[Json] = []
        self.root = self.of(schema, resource)

    def of(self, schema: Json, resource: bool = False) -> Declaration | None:
        """The type of a part of the schema; None for what rules cannot see."""
        key = (id(schema), resource)
        if key not in self._made:
            self._kept.append(schema)  # so that no other one gets its identity
            self._made[key] = self._declare(schema, resource)
        return self._made[key]

    def _declare(self, schema: Json, resource: bool) -> Declaration | None:
        if schema.get(INT_OR_STRING):
            return Declaration(_DYN)
        kind = schema.get("type")
        if kind == "array":
            return self._list(schema)
        if kind == "object":
            if isinstance(schema.get("additionalProperties"), dict):
                return self._map(schema)
            return self._object(schema, resource or bool(schema.get(EMBEDDED)))
        return _string(schema) if kind == "string" else _scalar(_TYPES[kind]) if kind in _TYPES else None

    def _list(self, schema: Json) -> Declaration | None:
        items = self.of(schema["items"]) if isinstance(schema.get("items"), dict) else None
        if items is None:
            return None
        most = schema.get("maxItems", (LARGEST - 2) // (items.least + 1))
        sort = schema.get(LIST_TYPE)
        keys = tuple(escape(key) for key in schema.get(MAP_KEYS) or ()) if sort == "map" else ()
        return Declaration(f"list<{items.kind}>", most, 2, {}, items, keys, sort in ("set", "map"))

    def _map(self, schema: Json) -> Declaration | None:
        values = self.of(schema["additionalProperties"])
        if values is None:
            return None
        most = schema.get("maxProperties", (LARGEST - 2) // (values.least + 6))
        return Declaration(f"map<string, {values.kind}>", most, 2, {}, values)

    def _object(self, schema: Json, resource: bool) -> Declaration:
        name = f"T{len(self.file.message_type)}"
        found = Declaration(f"{PACKAGE}.{name}", 0, 2)
        message = self.file.message_type.add(name=name)
        properties: Json = schema.get("properties") or {}
        for key, part in {**properties, **(RESOURCE if resource else {})}.items():
            declared, escaped = self.of(part), escape(key)
            if declared is None:
                continue
            if key in (schema.get("required") or ()) and part.get("default") is None:
                found.least += len(key) + declared.least + 4
            if _IDENTIFIER(escaped):
                found.fields[escaped] = declared
                messages.add_field(message, found.kind, escaped, field_kind(declared.kind))
        return found


def _string(schema: Json) -> Declaration:
    form = schema.get("format")
    if form == "byte":
        return Declaration("bytes", schema.get("maxLength", LARGEST), 2)
    if form in TIMES:
        return _scalar(TIMES[form])
    if "maxLength" in schema:
        return Declaration("string", schema["maxLength"], 2)
    if schema.get("enum"):
        return Declaration("string", max(len(str(choice)) for choice in schema["enum"]), 2)
    return Declaration("string", LARGEST - 2, 2)


def _scalar(kind: str) -> Declaration:
    return Declaration(kind, 0, _SMALLEST[kind])


_FIELD = {"int": "int64", "uint": "uint64", "null_type": "google.protobuf.Value", _DYN: "google.protobuf.Value"}


def field_kind(kind: str) -> str:
    """A type as that of a field of a message: lists and maps within others are known to be such, not of what."""
    if kind.startswith("list<"):
        return f"list {_inner(kind[5:-1])}"
    if kind.startswith("map<string, "):
        return f"map {_inner(kind[12:-1])}"
    return "google.protobuf.Value" if kind.startswith("map<") or "<" in kind else _FIELD.get(kind, kind)


def _inner(kind: str) -> str:
    if kind.startswith("list<"):
        return "google.protobuf.ListValue"
    return "google.protobuf.Struct" if kind.startswith("map<") else field_kind(kind)
