"""The v2 document in the protobuf form that `kubectl` and Helm ask for (the message `openapi.v2.Document`).

The encoding follows the field numbers of the published message definition. Values of vendor extensions travel as YAML
text, for which JSON is good enough.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import orjson

from kube.objects import Json
from kube.protobuf.wire import put_varint

_TEXT, _BOOL, _INT, _NUMBER = "text", "bool", "int", "number"

_SCHEMA = {
    "$ref": (1, _TEXT),
    "format": (2, _TEXT),
    "title": (3, _TEXT),
    "description": (4, _TEXT),
    "multipleOf": (6, _NUMBER),
    "maximum": (7, _NUMBER),
    "minimum": (9, _NUMBER),
    "maxLength": (11, _INT),
    "minLength": (12, _INT),
    "pattern": (13, _TEXT),
    "maxItems": (14, _INT),
    "minItems": (15, _INT),
    "uniqueItems": (16, _BOOL),
    "maxProperties": (17, _INT),
    "minProperties": (18, _INT),
}


def encode(document: bytes) -> bytes:
    """The message of a JSON document."""
    doc = orjson.loads(document)
    definitions = b"".join(_named(1, name, _schema(schema)) for name, schema in doc["definitions"].items())
    served = b"".join(_named(2, path, _path(item)) for path, item in doc["paths"].items())
    info = _string(1, doc["info"]["title"]) + _string(2, doc["info"]["version"])
    return _string(1, doc["swagger"]) + _message(2, info) + _message(8, served) + _message(9, definitions)


def _message(number: int, content: bytes) -> bytes:
    return put_varint(number << 3 | 2) + put_varint(len(content)) + content


def _string(number: int, text: str) -> bytes:
    return _message(number, text.encode())


def _integer(number: int, value: int) -> bytes:
    return put_varint(number << 3) + put_varint(value)


_WRITERS: dict[str, Callable[[int, Any], bytes]] = {
    _TEXT: _string,
    _BOOL: _integer,
    _INT: _integer,
    _NUMBER: lambda number, value: put_varint(number << 3 | 1) + struct.pack("<d", value),
}


def _named(number: int, name: str, content: bytes) -> bytes:
    """An entry of a map: (name, value)."""
    return _message(number, _string(1, name) + _message(2, content))


def _any(value: Any) -> bytes:
    return _string(2, orjson.dumps(value).decode() + "\n")


def _extensions(number: int, source: Json) -> bytes:
    return b"".join(_named(number, key, _any(value)) for key, value in source.items() if key.startswith("x-"))


def _schema(schema: Json) -> bytes:
    out = b"".join(_WRITERS[kind](number, schema[key]) for key, (number, kind) in _SCHEMA.items() if key in schema)
    if "default" in schema:
        out += _message(5, _any(schema["default"]))
    out += b"".join(_string(19, name) for name in schema.get("required", ()))
    out += b"".join(_message(20, _any(value)) for value in schema.get("enum", ()))
    if "additionalProperties" in schema:
        more = schema["additionalProperties"]
        out += _message(21, _integer(2, more) if isinstance(more, bool) else _message(1, _schema(more)))
    if "type" in schema:
        out += _message(22, _string(1, schema["type"]))
    if "items" in schema:
        out += _message(23, _message(1, _schema(schema["items"])))
    out += b"".join(_message(24, _schema(part)) for part in schema.get("allOf", ()))
    if "properties" in schema:
        out += _message(25, b"".join(_named(1, name, _schema(prop)) for name, prop in schema["properties"].items()))
    return out + _extensions(31, schema)


def _path(item: Json) -> bytes:
    numbers = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
    out = b"".join(_message(number, _operation(item[verb])) for verb, number in numbers.items() if verb in item)
    return out + b"".join(_message(9, _parameter(p)) for p in item.get("parameters", ()))


def _operation(operation: Json) -> bytes:
    out = b"".join(_string(1, tag) for tag in operation.get("tags", ()))
    out += _string(5, operation.get("operationId", ""))
    out += b"".join(_message(8, _parameter(p)) for p in operation.get("parameters", ()))
    answers = b""
    for code, answer in operation.get("responses", {}).items():
        schema = _message(2, _message(1, _schema(answer["schema"]))) if "schema" in answer else b""
        answers += _named(1, code, _message(1, _string(1, answer.get("description", "")) + schema))
    return out + _message(9, answers) + _extensions(13, operation)


def _parameter(parameter: Json) -> bytes:
    """A parameter inside the three wrappers that the message definition puts around it."""
    name = _string(4, parameter["name"])
    required = _integer(1, 1) if parameter.get("required") else b""
    if parameter["in"] == "body":
        body = (
            _string(2, "body") + _string(3, "body") + _integer(4, 1) + _message(5, _schema(parameter.get("schema", {})))
        )
        return _message(1, _message(1, body))
    number = 3 if parameter["in"] == "query" else 4
    kind = _string(6 if number == 3 else 5, parameter.get("type", "string"))
    content = required + _string(2, parameter["in"]) + _string(3, parameter.get("description", "")) + name + kind
    return _message(1, _message(2, _message(number, content)))
