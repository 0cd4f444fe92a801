"""Validation of custom objects against their schema, with the messages of kube-apiserver.

On an update, what was invalid before and did not change passes (`old`): a schema may be tightened while objects exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kube import errors as e
from kube import patterns
from kube.crd import formats
from kube.crd.structural import EMBEDDED, INT_OR_STRING
from kube.errors import FieldError
from kube.objects import Json

MISSING = object()
_NO_FIELD = "<nil>"


def validate(value: Any, schema: Json, path: str = "", old: Any = MISSING) -> list[FieldError]:
    """All errors of a value. `old` is the value that it replaces, MISSING where there was none."""
    return list(_check(value, schema, path, old))


def _check(value: Any, schema: Json, path: str, old: Any) -> Iterator[FieldError]:
    if old is not MISSING and value == old and isinstance(value, bool) == isinstance(old, bool):
        return
    if value is None and schema.get("nullable"):
        return
    wrong = _type_error(value, schema, path)
    if wrong:
        yield from wrong
        return
    if schema.get("enum") and value not in schema["enum"]:
        yield FieldError(
            "FieldValueNotSupported",
            path,
            f"Unsupported value: {e.show(value)}: supported values: "
            + ", ".join(e.show(choice) for choice in schema["enum"]),
        )
    if isinstance(value, str):
        yield from _check_string(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _check_number(value, schema, path)
    elif isinstance(value, list):
        yield from _check_list(value, schema, path, old)
    elif isinstance(value, dict):
        yield from _check_object(value, schema, path, old)
    yield from _check_alternatives(value, schema, path)


def type_name(value: Any) -> str:
    """The JSON schema type of a value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, float) and not value.is_integer():
        return "number"
    for kind, name in ((str, "string"), (int, "integer"), (float, "integer"), (list, "array"), (dict, "object")):
        if isinstance(value, kind):
            return name
    return "null"


def _type_error(value: Any, schema: Json, path: str) -> list[FieldError]:
    wanted = ["integer", "string"] if schema.get(INT_OR_STRING) else [schema["type"]] if schema.get("type") else []
    actual = type_name(value)
    if not wanted or actual in wanted or (actual == "integer" and "number" in wanted):
        return []
    found = [e.type_invalid(path, actual, f'{path} in body must be of type {",".join(wanted)}: "{actual}"')]
    if (actual, wanted) == ("number", ["integer"]):
        found.append(e.invalid(_NO_FIELD, "", f"Checked value must be of type integer (default format) in {path}"))
    return found


def _check_string(value: str, schema: Json, path: str) -> Iterator[FieldError]:
    if len(value) < schema.get("minLength", 0):
        yield e.invalid(path, value, f"{path} in body should be at least {schema['minLength']} chars long")
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        yield e.too_long(path, value, schema["maxLength"])
    if schema.get("pattern") and not patterns.found(schema["pattern"], value):
        yield e.invalid(path, value, f"{path} in body should match '{schema['pattern']}'")
    if schema.get("format") and not formats.fits(value, schema["format"]):
        yield e.type_invalid(path, value, f'{path} in body must be of type {schema["format"]}: "{value}"')


def _check_number(value: float, schema: Json, path: str) -> Iterator[FieldError]:
    low, high, step = schema.get("minimum"), schema.get("maximum"), schema.get("multipleOf")
    if low is not None and (value < low or (schema.get("exclusiveMinimum") and value == low)):
        word = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield e.invalid(path, value, f"{path} in body should be {word} {_plain(low)}")
    if high is not None and (value > high or (schema.get("exclusiveMaximum") and value == high)):
        word = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield e.invalid(path, value, f"{path} in body should be {word} {_plain(high)}")
    if step and not (value / step).is_integer():
        yield e.invalid(path, value, f"{path} in body should be a multiple of {_plain(step)}")
    if schema.get("format") == "int32" and not -(2**31) <= value < 2**31:
        yield e.invalid(_NO_FIELD, "", f"Checked value must be of type integer with format int32 in {path}")


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def _check_list(value: list[Any], schema: Json, path: str, old: Any) -> Iterator[FieldError]:
    if len(value) < schema.get("minItems", 0):
        yield e.invalid(path, len(value), f"{path} in body should have at least {schema['minItems']} items")
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        yield e.too_many(path, len(value), schema["maxItems"])
    if schema.get("x-kubernetes-list-type") in ("set", "map"):
        seen: set[str] = set()
        for i, item in enumerate(value):
            key = _key(item, schema)
            if key in seen:
                keys = schema.get("x-kubernetes-list-map-keys", ())
                shown = {name: item.get(name) for name in keys} if keys and isinstance(item, dict) else item
                yield e.duplicate(f"{path}[{i}]", shown)
            seen.add(key)
    # The old items by key; none for lists whose items cannot be told apart.
    is_map = isinstance(old, list) and schema.get("x-kubernetes-list-type") == "map"
    before = {_key(item, schema): item for item in old} if is_map else {}
    for i, item in enumerate(value):
        was = before.get(_key(item, schema), MISSING) if before else MISSING
        if isinstance(schema.get("items"), dict):
            yield from _check(item, schema["items"], f"{path}[{i}]", was)


def _key(item: Any, schema: Json) -> str:
    """What tells an item of a set or map list from the others, as text."""
    keys = schema.get("x-kubernetes-list-map-keys", ())
    properties = (schema.get("items") or {}).get("properties") or {}
    if schema.get("x-kubernetes-list-type") == "map" and isinstance(item, dict):
        return e.show([item.get(key, (properties.get(key) or {}).get("default")) for key in keys])
    return e.show(item)


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _check_object(value: Json, schema: Json, path: str, old: Any) -> Iterator[FieldError]:
    if len(value) < schema.get("minProperties", 0):
        yield e.invalid(path, len(value), f"{path} in body should have at least {schema['minProperties']} properties")
    if "maxProperties" in schema and len(value) > schema["maxProperties"]:
        yield e.too_many(path, len(value), schema["maxProperties"])
    needed = list(schema.get("required") or ()) + (["apiVersion", "kind"] if schema.get(EMBEDDED) else [])
    for key in dict.fromkeys(needed):
        if value.get(key, MISSING) is MISSING or (schema.get(EMBEDDED) and value[key] == ""):
            yield e.required(_below(path, key))
    properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
    for key, item in value.items():
        sub = properties.get(key, more)
        if isinstance(sub, dict):
            was = old.get(key, MISSING) if isinstance(old, dict) else MISSING
            yield from _check(item, sub, _below(path, key), was)


def _check_alternatives(value: Any, schema: Json, path: str) -> Iterator[FieldError]:
    """`allOf`, `anyOf`, `oneOf` and `not`: value validations only, since schemas are structural."""
    for part in schema.get("allOf") or ():
        found = validate(value, part, path)
        if found:
            yield e.invalid(_NO_FIELD, "", f'"{path}" must validate all the schemas (allOf)')
            yield from found
    if schema.get("anyOf"):
        results = [validate(value, part, path) for part in schema["anyOf"]]
        if all(results):
            yield e.invalid(_NO_FIELD, "", f'"{path}" must validate at least one schema (anyOf)')
            yield from results[0]
    if schema.get("oneOf"):
        results = [validate(value, part, path) for part in schema["oneOf"]]
        valid = sum(not found for found in results)
        if valid != 1:
            detail = "Found none valid" if not valid else f"Found {valid} valid alternatives"
            yield e.invalid(_NO_FIELD, "", f'"{path}" must validate one and only one schema (oneOf). {detail}')
            yield from results[0] if not valid else ()
    if schema.get("not") and not validate(value, schema["not"], path):
        yield e.invalid(_NO_FIELD, "", f'"{path}" must not validate the schema (not)')
