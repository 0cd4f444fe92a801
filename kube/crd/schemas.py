"""What a CRD's schema must fulfil: structural, with defaults that fit and rules that compile."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from kube import cel
from kube import errors as e
from kube.cel import values as celvalues
from kube.crd import structural, values
from kube.crd.structural import EMBEDDED, INT_OR_STRING, PRESERVE
from kube.crd.validations import RULES
from kube.errors import FieldError
from kube.objects import Json

TYPES = ("array", "boolean", "integer", "number", "object", "string")
_JUNCTORS = ("allOf", "anyOf", "oneOf")
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_TEXT = {"type": "string"}
_RESOURCE = {
    "apiVersion": _TEXT,
    "kind": _TEXT,
    "metadata": {"type": "object", "properties": {"name": _TEXT, "generateName": _TEXT}},
}
_UNSUPPORTED = ("$ref", "id", "patternProperties", "definitions", "dependencies", "additionalItems")
_STRUCTURE = ("type", "description", "default", "nullable", "additionalProperties", PRESERVE, EMBEDDED)


def check(schema: Json, path: str) -> list[FieldError]:
    """All errors of an `openAPIV3Schema` at `path`."""
    if not schema.get("type"):
        return [e.required(f"{path}.type", "must not be empty at the root")]
    if schema["type"] != "object":
        return [e.invalid(f"{path}.type", schema["type"], "must be object at the root")]
    return list(_check(schema, path, top=True))


def _check(schema: Json, path: str, top: bool = False, where: str = "specified object fields") -> Iterator[FieldError]:
    """A schema at a place where it states a field's type."""
    kind = schema.get("type")
    yield from _check_forbidden(schema, path)
    yield from _check_junctors(schema, path)
    if kind and kind not in TYPES:
        yield e.not_supported(f"{path}.type", kind, TYPES)
    elif not kind and not schema.get(INT_OR_STRING) and not schema.get(PRESERVE):
        yield e.required(f"{path}.type", f"must not be empty for {where}")
    elif kind and schema.get(INT_OR_STRING):
        yield e.forbidden(f"{path}.type", f"must be empty if {INT_OR_STRING} is true")
    if kind == "array":
        yield from _check_array(schema, path)
    yield from _check_properties(schema, path, top)
    if "default" in schema:
        yield from _check_default(schema, path)
    yield from _check_rules(schema, path, resource=top or bool(schema.get(EMBEDDED)))


def _check_forbidden(schema: Json, path: str) -> Iterator[FieldError]:
    for key in _UNSUPPORTED:
        if schema.get(key):
            yield e.forbidden(f"{path}.{key}", f"{key} is not supported")
    if schema.get("uniqueItems"):
        yield e.forbidden(
            f"{path}.uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        )
    if schema.get("properties") and schema.get("additionalProperties"):
        yield e.forbidden(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive")
    if schema.get("pattern"):
        try:
            re.compile(schema["pattern"])
        except re.error as error:
            yield e.invalid(
                f"{path}.pattern", schema["pattern"], f"must be a valid regular expression, but isn't: {error}"
            )


def _check_junctors(schema: Json, path: str) -> Iterator[FieldError]:
    for key in _JUNCTORS:
        for i, part in enumerate(schema.get(key) or ()):
            yield from _check_logic(part, f"{path}.{key}[{i}]", schema)
    if isinstance(schema.get("not"), dict):
        yield from _check_logic(schema["not"], f"{path}.not", schema)


def _check_logic(part: Json, path: str, around: Json) -> Iterator[FieldError]:
    """Below `anyOf` and the like there are value validations only; the types stand outside."""
    pair = around.get(INT_OR_STRING) and part.get("type") in ("integer", "string") and len(part) == 1
    for key in _STRUCTURE:
        if part.get(key) and not (key == "type" and pair):
            yield e.forbidden(f"{path}.{key}", "must be empty to be structural")
    yield from _check_junctors(part, path)
    for name, prop in (part.get("properties") or {}).items():
        yield from _check_logic(prop, f"{path}.properties[{name}]", {})
    if isinstance(part.get("items"), dict):
        yield from _check_logic(part["items"], f"{path}.items", {})


def _check_array(schema: Json, path: str) -> Iterator[FieldError]:
    items, merge = schema.get("items"), schema.get("x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys") or []
    if not isinstance(items, dict):
        yield e.required(f"{path}.items", "must be specified")
        return
    if merge and merge not in ("atomic", "map", "set"):
        yield e.not_supported(f"{path}.x-kubernetes-list-type", merge, ("atomic", "map", "set"))
    if keys and merge != "map":
        yield e.invalid(
            f"{path}.x-kubernetes-list-type", merge, "must be map if x-kubernetes-list-map-keys is non-empty"
        )
    if merge == "map":
        if not keys:
            yield e.required(f"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map")
        if items.get("type") != "object":
            yield e.invalid(
                f"{path}.items.type",
                items.get("type"),
                "must be object if parent array's x-kubernetes-list-type is map",
            )
        for i, key in enumerate(keys):
            prop = (items.get("properties") or {}).get(key)
            if prop is None:
                yield e.invalid(
                    f"{path}.x-kubernetes-list-map-keys[{i}]", key, "entries must all be names of item properties"
                )
            elif key not in (items.get("required") or ()) and prop.get("default") is None:
                yield e.required(
                    f"{path}.items.properties[{key}].default",
                    "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
                )


def _check_properties(schema: Json, path: str, top: bool) -> Iterator[FieldError]:
    for name, prop in (schema.get("properties") or {}).items():
        place = f"{path}.properties[{name}]"
        if name == "metadata" and (top or schema.get(EMBEDDED)):
            properties = set(prop.get("properties") or {})
            if properties - {"name", "generateName"} or set(prop) - {"type", "properties", "description"}:
                yield e.forbidden(
                    place,
                    "must not specify anything other than name and generateName, but metadata is implicitly specified",
                )
        else:
            yield from _check(prop, place)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _check(schema["additionalProperties"], f"{path}.additionalProperties")
    if isinstance(schema.get("items"), dict):
        yield from _check(schema["items"], f"{path}.items", where="specified array items")


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


def _check_rules(schema: Json, path: str, resource: bool) -> Iterator[FieldError]:
    if resource:
        schema = {**schema, "properties": {**(schema.get("properties") or {}), **_RESOURCE}}
    for i, rule in enumerate(schema.get(RULES) or ()):
        place = f"{path}.{RULES}[{i}]"
        if not str(rule.get("rule", "")).strip():
            yield e.required(f"{place}.rule", "rule is not specified")
            continue
        if rule.get("reason") and rule["reason"] not in _REASONS:
            yield e.not_supported(f"{place}.reason", rule["reason"], _REASONS)
        if rule.get("fieldPath") and not _leads_somewhere(rule["fieldPath"], schema):
            yield e.invalid(f"{place}.fieldPath", rule["fieldPath"], "must be a valid path")
        yield from _try(rule, "rule", bool, "cel expression must evaluate to a bool", schema, place)
        if rule.get("messageExpression"):
            complaint = "messageExpression must evaluate to a string"
            yield from _try(rule, "messageExpression", str, complaint, schema, place)


def _leads_somewhere(path: str, schema: Json) -> bool:
    for name in re.findall(r"\.([A-Za-z_][\w-]*)|\['([^']*)'\]", path):
        schema = (schema.get("properties") or {}).get(name[0] or name[1]) or schema.get("additionalProperties") or {}
    return bool(schema)


def _try(rule: Json, key: str, wanted: type, complaint: str, schema: Json, path: str) -> Iterator[FieldError]:
    """Compile an expression and run it on a sample that has all fields: a field that is missing there does not exist."""
    sample = celvalues.sample(schema)
    optional = rule.get("optionalOldSelf")
    try:
        cel.program(rule[key])
        result = cel.run(
            rule[key], {"self": sample, "oldSelf": cel.engine().OptionalValue.of(sample) if optional else sample}
        )
    except ValueError as error:
        yield e.invalid(f"{path}.{key}", rule, f"compilation failed: {error}")
    except KeyError as error:
        if not _open(schema):
            name = str(error.args[0]) if error.args else ""
            yield e.invalid(f"{path}.{key}", rule, f"compilation failed: undefined field {name!r}")
    except RuntimeError as error:
        yield e.invalid(f"{path}.{key}", rule, f"compilation failed: {error}")
    except (TypeError, IndexError, ArithmeticError):
        return  # the sample's values do not suit the rule; real ones may
    else:
        if not isinstance(result, wanted):
            yield e.invalid(f"{path}.{key}", rule, complaint)


def _open(schema: Any) -> bool:
    """Whether objects may have fields that the schema does not name."""
    if isinstance(schema, dict):
        free = schema.get(PRESERVE) or schema.get("additionalProperties") or schema.get(EMBEDDED)
        return bool(free) or any(map(_open, schema.values()))
    return isinstance(schema, list) and any(map(_open, schema))
