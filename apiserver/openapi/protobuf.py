"""The v2 document in the protobuf form that `kubectl` and Helm ask for (the message `openapi.v2.Document`).

The encoding follows the field numbers of the published message definition. Values of vendor extensions travel as YAML
text, for which JSON is good enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from apiserver.openapi.wire import integer, message, named, number, string
from kube.objects import Json

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
    definitions = b"".join(named(1, name, _schema(schema)) for name, schema in doc["definitions"].items())
    served = b"".join(named(2, path, _path(item)) for path, item in doc["paths"].items())
    info = string(1, doc["info"]["title"]) + string(2, doc["info"]["version"])
    return string(1, doc["swagger"]) + message(2, info) + message(8, served) + message(9, definitions)


_WRITERS: dict[str, Callable[[int, Any], bytes]] = {_TEXT: string, _BOOL: integer, _INT: integer, _NUMBER: number}


def _any(value: Any) -> bytes:
    return string(2, orjson.dumps(value).decode() + "\n")


def _extensions(number: int, source: Json) -> bytes:
    return b"".join(named(number, key, _any(value)) for key, value in source.items() if key.startswith("x-"))


def _schema(schema: Json) -> bytes:
    out = b"".join(_WRITERS[kind](number, schema[key]) for key, (number, kind) in _SCHEMA.items() if key in schema)
    if "default" in schema:
        out += message(5, _any(schema["default"]))
    out += b"".join(string(19, name) for name in schema.get("required", ()))
    out += b"".join(message(20, _any(value)) for value in schema.get("enum", ()))
    if "additionalProperties" in schema:
        more = schema["additionalProperties"]
        out += message(21, integer(2, more) if isinstance(more, bool) else message(1, _schema(more)))
    if "type" in schema:
        out += message(22, string(1, schema["type"]))
    if "items" in schema:
        out += message(23, message(1, _schema(schema["items"])))
    out += b"".join(message(24, _schema(part)) for part in schema.get("allOf", ()))
    if "properties" in schema:
        out += message(25, b"".join(named(1, name, _schema(prop)) for name, prop in schema["properties"].items()))
    return out + _extensions(31, schema)


def _path(item: Json) -> bytes:
    numbers = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
    out = b"".join(message(number, _operation(item[verb])) for verb, number in numbers.items() if verb in item)
    return out + b"".join(message(9, _parameter(p)) for p in item.get("parameters", ()))


def _operation(operation: Json) -> bytes:
    out = b"".join(string(1, tag) for tag in operation.get("tags", ()))
    out += string(5, operation.get("operationId", ""))
    out += b"".join(message(8, _parameter(p)) for p in operation.get("parameters", ()))
    answers = b""
    for code, answer in operation.get("responses", {}).items():
        schema = message(2, message(1, _schema(answer["schema"]))) if "schema" in answer else b""
        answers += named(1, code, message(1, string(1, answer.get("description", "")) + schema))
    return out + message(9, answers) + _extensions(13, operation)


def _parameter(parameter: Json) -> bytes:
    """A parameter inside the three wrappers that the message definition puts around it."""
    name = string(4, parameter["name"])
    required = integer(1, 1) if parameter.get("required") else b""
    if parameter["in"] == "body":
        body = string(2, "body") + string(3, "body") + integer(4, 1) + message(5, _schema(parameter.get("schema", {})))
        return message(1, message(1, body))
    number = 3 if parameter["in"] == "query" else 4
    kind = string(6 if number == 3 else 5, parameter.get("type", "string"))
    content = required + string(2, parameter["in"]) + string(3, parameter.get("description", "")) + name + kind
    return message(1, message(2, message(number, content)))
