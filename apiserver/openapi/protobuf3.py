"""A v3 document in protobuf form (the message `openapi.v3.Document`), which clients that save time ask for.

Values of vendor extensions travel as YAML text, for which JSON is good enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from apiserver.openapi.wire import integer, message, named, number, string
from kube.objects import Json

# Field numbers of the message Schema, and how each is written.
_SCHEMA: dict[str, tuple[int, Callable[[int, Any], bytes]]] = {
    "nullable": (1, integer),
    "title": (9, string),
    "multipleOf": (10, number),
    "maximum": (11, number),
    "exclusiveMaximum": (12, integer),
    "minimum": (13, number),
    "exclusiveMinimum": (14, integer),
    "maxLength": (15, integer),
    "minLength": (16, integer),
    "pattern": (17, string),
    "maxItems": (18, integer),
    "minItems": (19, integer),
    "uniqueItems": (20, integer),
    "maxProperties": (21, integer),
    "minProperties": (22, integer),
    "type": (25, string),
    "description": (34, string),
    "format": (35, string),
}
_METHODS = {"get": 4, "put": 5, "post": 6, "delete": 7, "options": 8, "head": 9, "patch": 10}


def encode(document: bytes) -> bytes:
    """The message of a JSON document."""
    doc = orjson.loads(document)
    info = string(1, doc["info"]["title"]) + string(6, doc["info"]["version"])
    served = b"".join(named(1, path, _path(item)) for path, item in doc["paths"].items())
    components = doc.get("components") or {}
    schemas = _map(components.get("schemas") or {}, _either)
    security = _map(components.get("securitySchemes") or {}, lambda scheme: message(1, _security(scheme)))
    return (
        string(1, doc["openapi"])
        + message(2, info)
        + message(4, served)
        + message(5, message(1, schemas) + message(7, security))
    )


def _map(entries: Mapping[str, Any], write: Callable[[Any], bytes]) -> bytes:
    return b"".join(named(1, name, write(value)) for name, value in entries.items())


def _any(value: Any) -> bytes:
    return string(2, orjson.dumps(value).decode() + "\n")


def _extensions(field: int, source: Json) -> bytes:
    return b"".join(named(field, key, _any(value)) for key, value in source.items() if key.startswith("x-"))


def _either(schema: Json) -> bytes:
    """A SchemaOrReference."""
    if "$ref" in schema:
        return message(2, string(1, schema["$ref"]))
    return message(1, _schema(schema))


def _schema(schema: Json) -> bytes:
    out = b"".join(write(field, schema[key]) for key, (field, write) in _SCHEMA.items() if key in schema)
    out += b"".join(string(23, name) for name in schema.get("required") or ())
    out += b"".join(message(24, _any(value)) for value in schema.get("enum") or ())
    for key, field in (("allOf", 26), ("oneOf", 27), ("anyOf", 28)):
        out += b"".join(message(field, _either(part)) for part in schema.get(key) or ())
    if isinstance(schema.get("not"), dict):
        out += message(29, _schema(schema["not"]))
    if isinstance(schema.get("items"), dict):
        out += message(30, message(1, _either(schema["items"])))
    if schema.get("properties"):
        out += message(31, _map(schema["properties"], _either))
    more = schema.get("additionalProperties")
    if more is not None:
        out += message(32, integer(2, more) if isinstance(more, bool) else message(1, _either(more)))
    return out + _default(schema.get("default")) + _extensions(36, schema)


def _default(value: Any) -> bytes:
    """Scalars only: the message knows no others."""
    if isinstance(value, bool):
        return message(33, integer(2, value))
    if isinstance(value, int | float):
        return message(33, number(1, value))
    return message(33, string(3, value)) if isinstance(value, str) else b""


def _path(item: Json) -> bytes:
    out = b"".join(message(field, _operation(item[verb])) for verb, field in _METHODS.items() if verb in item)
    return out + b"".join(message(13, message(1, _parameter(part))) for part in item.get("parameters") or ())


def _operation(operation: Json) -> bytes:
    out = b"".join(string(1, tag) for tag in operation.get("tags") or ())
    out += string(3, operation["description"]) if operation.get("description") else b""
    out += string(5, operation.get("operationId", ""))
    out += b"".join(message(6, message(1, _parameter(part))) for part in operation.get("parameters") or ())
    if "requestBody" in operation:
        out += message(7, message(1, message(2, _content(operation["requestBody"].get("content") or {}))))
    answers = b"".join(named(2, code, message(1, _answer(answer))) for code, answer in operation["responses"].items())
    return out + message(8, answers) + _extensions(13, operation)


def _answer(answer: Json) -> bytes:
    content = message(3, _content(answer["content"])) if answer.get("content") else b""
    return string(1, answer.get("description", "")) + content


def _content(content: Json) -> bytes:
    return _map(content, lambda media: message(1, _either(media["schema"])) if "schema" in media else b"")


def _parameter(part: Json) -> bytes:
    out = string(1, part["name"]) + string(2, part["in"]) + string(3, part.get("description", ""))
    out += integer(4, 1) if part.get("required") else b""
    return out + message(10, _either(part.get("schema") or {}))


def _security(scheme: Json) -> bytes:
    fields = {"type": 1, "description": 2, "name": 3, "in": 4}
    return b"".join(string(field, scheme[key]) for key, field in fields.items() if key in scheme)
