"""What a CRD's schema must fulfil: structural, with defaults that fit and rules that compile."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from kube import errors as e
from kube import patterns
from kube.crd import invariants, lists, rules, structural, values
from kube.crd.structural import EMBEDDED, PRESERVE
from kube.crd.validations import RULES
from kube.errors import FieldError
from kube.objects import Json

TYPES = ("array", "boolean", "integer", "number", "object", "string")
_IDENTITY = ("apiVersion", "kind", "metadata")
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
# Those that are there when they are empty: `$ref: ""` is a reference, `id: ""` is none.
_PRESENT_WHEN_EMPTY = ("$ref", "additionalItems", "dependencies", "x-kubernetes-list-type", "x-kubernetes-map-type")
# What the root of a schema may say when the status is a resource of its own, which only a part of the schema is for.
_AT_ROOT = [
    *("description", "type", "format", "title", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"),
    *("maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "multipleOf", "required", "items"),
    *("properties", "externalDocs", "example", PRESERVE, RULES),
]


def check(schema: Json, path: str, status: bool = False) -> list[FieldError]:
    """All errors of an `openAPIV3Schema` at `path`. `status`: whether a version with it has the status subresource."""
    errors = _check_root(schema, path, status)
    errors += invariants.check(schema, path) or _check_defaults(schema, path)
    errors += _check(schema, path, top=True, forbidden="")
    return errors or rules.check(schema, path)


def _check_root(schema: Json, path: str, status: bool) -> list[FieldError]:
    errors = []
    if status and schema.get("type") not in (None, "", "object"):
        text = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        errors.append(e.invalid(f"{path}.type", schema["type"], text))
    elif status and any(key not in _AT_ROOT and _says(value, key) for key, value in schema.items()):
        allowed = " ".join(key[0].upper() + key[1:] for key in _AT_ROOT)
        text = f"only [{allowed}] fields are allowed at the root of the schema if the status subresource is enabled"
        errors.append(e.invalid(path, schema, text))
    if schema.get("nullable"):
        errors.append(e.forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    return errors


def _says(value: Any, key: str) -> bool:
    """Whether a field of a schema says something: empty texts and false do not, but where their presence alone does."""
    return value is not None and value is not False and (value != "" or key in _PRESENT_WHEN_EMPTY)


def _check(schema: Json, path: str, top: bool, forbidden: str, meta: bool = False) -> Iterator[FieldError]:
    """A schema anywhere: what it may say of itself. `forbidden`: why there may be no default; `meta`: within metadata."""
    yield from _check_supported(schema, path, forbidden, meta)
    more = schema.get("additionalProperties")
    if more is not None and more is not True and schema.get("properties"):
        yield e.forbidden(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive")
    if isinstance(more, dict):
        why = "inside additionalProperties applying to object metadata" if meta else forbidden
        yield from _check(more, f"{path}.additionalProperties", False, why, meta)
    for name, part in (schema.get("properties") or {}).items():
        identity = (top or bool(schema.get(EMBEDDED))) and name in _IDENTITY
        why = f"in top-level {name}" if top and identity else forbidden
        yield from _check(part, f"{path}.properties[{name}]", False, why, meta or identity)
    if isinstance(schema.get("not"), dict):
        yield from _check(schema["not"], f"{path}.not", False, forbidden, meta)
    for key in invariants.JUNCTORS:
        for i, part in enumerate(schema.get(key) or ()):
            yield from _check(part, f"{path}.{key}[{i}]", False, forbidden, meta)
    if isinstance(schema.get("items"), dict):
        yield from _check(schema["items"], f"{path}.items", False, forbidden, meta)
    yield from lists.check(schema, path)


def _check_supported(schema: Json, path: str, forbidden: str, meta: bool) -> Iterator[FieldError]:
    kind = schema.get("type")
    if kind and kind not in TYPES:
        yield e.not_supported(f"{path}.type", kind, TYPES)
    if schema.get("default") is not None and forbidden:
        yield e.forbidden(f"{path}.default", f"must not be set {forbidden}")
    for key in _UNSUPPORTED:
        if schema.get(key) or (schema.get(key) is not None and key in _PRESENT_WHEN_EMPTY):
            yield e.forbidden(f"{path}.{key}", f"{key} is not supported")
    if isinstance(schema.get("items"), list) and schema["items"]:
        yield e.forbidden(f"{path}.items", "items must be a schema object and not an array")
    if meta and schema.get(EMBEDDED):
        yield e.forbidden(f"{path}.{EMBEDDED}", "must not be used inside of resource meta")
    if schema.get("uniqueItems"):
        yield e.forbidden(
            f"{path}.uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        )
    if schema.get(PRESERVE) is False:
        yield e.invalid(f"{path}.{PRESERVE}", False, "must be true or undefined")
    if schema.get("pattern"):
        try:
            patterns.compiled(schema["pattern"])
        except ValueError as error:
            yield e.invalid(
                f"{path}.pattern", schema["pattern"], f"must be a valid regular expression, but isn't: {error}"
            )


def _check_defaults(schema: Json, path: str) -> list[FieldError]:
    """The defaults at the places where a schema states types."""
    errors = list(_check_default(schema, path)) if schema.get("default") is not None else []
    if isinstance(schema.get("items"), dict):
        errors += _check_defaults(schema["items"], f"{path}.items")
    for name, part in (schema.get("properties") or {}).items():
        errors += _check_defaults(part, f"{path}.properties[{name}]")
    return errors


def _check_default(schema: Json, path: str) -> Iterator[FieldError]:
    value, place = schema["default"], f"{path}.default"
    found = values.validate(value, {key: part for key, part in schema.items() if key != "default"}, "")
    for error in found:
        yield FieldError(
            error.reason, place + (f".{error.field}" if error.field and error.field != "<nil>" else ""), error.message
        )
    if not found:
        pruned: list[str] = []
        structural.prune_value(copy.deepcopy(value), schema, pruned)
        if pruned:
            yield e.invalid(place, value, "must not have unknown fields")
