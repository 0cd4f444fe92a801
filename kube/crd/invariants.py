"""What makes a schema structural: every field's type stands once, outside of `allOf`, `anyOf`, `oneOf` and `not`.

What stands below those only restricts values: of fields that the schema itself names, and never their types.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kube import errors as e
from kube.crd.structural import EMBEDDED, INT_OR_STRING, PRESERVE
from kube.errors import FieldError
from kube.objects import Json

JUNCTORS = ("allOf", "anyOf", "oneOf")
_ROOT, _ITEMS, _FIELD = "the root", "specified array items", "specified object fields"
# The one place where a type may stand below `anyOf`: the two of a field that is a number or a text.
_EITHER = [{"type": "integer"}, {"type": "string"}]
# What may not stand below a junctor, and what is said of it.
_FORBIDDEN = {
    "type": "empty",
    "additionalProperties": "undefined",
    "default": "undefined",
    "title": "empty",
    "description": "empty",
    "nullable": "false",
    "externalDocs": "undefined",
    PRESERVE: "false",
    EMBEDDED: "false",
    INT_OR_STRING: "false",
    "x-kubernetes-list-map-keys": "empty",
    "x-kubernetes-list-type": "undefined",
    "x-kubernetes-map-type": "undefined",
    "x-kubernetes-validations": "empty",
}


def check(schema: Json, path: str) -> list[FieldError]:
    """What keeps a whole `openAPIV3Schema` at `path` from being structural, sorted by its text."""
    return sorted([*_check(schema, path, _ROOT), *_unfounded(schema, schema, path, path)], key=str)


def _check(schema: Json, path: str, where: str) -> Iterator[FieldError]:
    """A schema at a place where it states a field's type."""
    if schema.get("type") == "array" and not isinstance(schema.get("items"), dict):
        yield e.required(f"{path}.items", "must be specified")
    if isinstance(schema.get("items"), dict):
        yield from _check(schema["items"], f"{path}.items", _ITEMS)
    for name, part in (schema.get("properties") or {}).items():
        yield from _check(part, f"{path}.properties[{name}]", _FIELD)
    more = schema.get("additionalProperties")
    if more is not None and where == _ROOT:
        yield e.forbidden(f"{path}.additionalProperties", "must not be used at the root")
    if isinstance(more, dict):
        yield from _check(more, f"{path}.additionalProperties", _FIELD)
    yield from _check_either(schema, path)
    yield from _check_junctors(schema, path)
    yield from _check_type(schema, path, where)
    if where == _ROOT or schema.get(EMBEDDED):
        yield from _check_identity(schema, path, where)


def _check_either(schema: Json, path: str) -> Iterator[FieldError]:
    for key in (PRESERVE, EMBEDDED):
        if schema.get(INT_OR_STRING) and schema.get(key):
            yield e.invalid(f"{path}.{key}", True, f"must be false if {INT_OR_STRING} is true")


def _check_type(schema: Json, path: str, where: str) -> Iterator[FieldError]:
    kind, place = schema.get("type"), f"{path}.type"
    if schema.get(EMBEDDED) and kind != "object":
        text = f"must be object if {EMBEDDED} is true"
        yield e.invalid(place, kind, text) if kind else e.required(place, text)
    elif not kind and not schema.get(INT_OR_STRING) and not schema.get(PRESERVE):
        yield e.required(place, f"must not be empty {'at' if where == _ROOT else 'for'} {where}")
    if where == _ROOT and kind and kind != "object":
        yield e.invalid(place, kind, "must be object at the root")
    if not schema.get(EMBEDDED):
        return
    if schema.get("additionalProperties") is not None:
        yield e.forbidden(f"{path}.additionalProperties", f"must not be used if {EMBEDDED} is set")
    if not schema.get(PRESERVE) and not schema.get("properties"):
        yield e.required(f"{path}.properties", f"must not be empty if {EMBEDDED} is true without {PRESERVE}")


def _check_identity(schema: Json, path: str, where: str) -> Iterator[FieldError]:
    """The fields that every object has: a schema may restrict them, but what they are is given."""
    for key, kind in (("kind", "string"), ("apiVersion", "string"), ("metadata", "object")):
        part = (schema.get("properties") or {}).get(key)
        if part is not None and part.get("type") != kind:
            yield e.invalid(f"{path}.properties[{key}].type", part.get("type", ""), f"must be {kind}")
    meta = (schema.get("properties") or {}).get("metadata")
    if meta is None or where != _ROOT:
        return
    named = set(meta.get("properties") or ())
    # Restrictions of the value such as `required` are no structure.
    structure = {key for key in ("items", "title", "description", "nullable", *_FORBIDDEN) if meta.get(key)} - {"type"}
    if named - {"name", "generateName"} or structure - {"default"}:
        yield e.forbidden(
            f"{path}.properties[metadata]",
            "must not specify anything other than name and generateName, but metadata is implicitly specified",
        )


def _parts(schema: Json) -> Iterator[tuple[str, Json]]:
    """The schemas directly below the junctors of one, with the steps that lead to them."""
    for key in JUNCTORS:
        yield from ((f"{key}[{i}]", part) for i, part in enumerate(schema.get(key) or ()))
    if isinstance(schema.get("not"), dict):
        yield "not", schema["not"]


def _check_junctors(schema: Json, path: str) -> Iterator[FieldError]:
    for step, part in _parts(schema):
        if step.startswith("anyOf") and schema["anyOf"] == _EITHER:
            continue
        either = step == "allOf[0]" and part.get("anyOf") == _EITHER
        yield from _check_restriction({**part, "anyOf": []} if either else part, f"{path}.{step}")


def _check_restriction(part: Json, path: str) -> Iterator[FieldError]:
    """A schema below a junctor: it restricts values, and says nothing of structure."""
    yield from _check_junctors(part, path)
    if isinstance(part.get("items"), dict):
        yield from _check_restriction(part["items"], f"{path}.items")
    for name, prop in (part.get("properties") or {}).items():
        yield from _check_restriction(prop, f"{path}.properties[{name}]")
    for key, word in _FORBIDDEN.items():
        if part.get(key) or isinstance(part.get(key), dict) or (key == "default" and part.get(key) is not None):
            yield e.forbidden(f"{path}.{key}", f"must be {word} to be structural")
    if "metadata" in (part.get("properties") or {}):
        yield e.forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context")


def _unfounded(restriction: Json, schema: Any, place: str, path: str) -> Iterator[FieldError]:
    """Restrictions below the junctors of `restriction` of what `schema`, at `place`, does not specify."""
    for step, part in _parts(restriction):
        yield from _unfounded_part(part, schema, place, f"{path}.{step}")


def _unfounded_part(part: Json, schema: Any, place: str, path: str) -> Iterator[FieldError]:
    if not isinstance(schema, dict):
        yield e.required(place, f"because it is defined in {path}")
        return
    yield from _unfounded(part, schema, place, path)
    if isinstance(part.get("items"), dict):
        yield from _unfounded_part(part["items"], schema.get("items"), f"{place}.items", f"{path}.items")
    for name, prop in (part.get("properties") or {}).items():
        step = f"properties[{name}]"
        below = (schema.get("properties") or {}).get(name)
        yield from _unfounded_part(prop, below, f"{place}.{step}", f"{path}.{step}")
