"""Run the rules of a schema (`x-kubernetes-validations`) over an object."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kube import cel
from kube.cel.values import to_cel
from kube.crd.values import MISSING
from kube.errors import FieldError, show
from kube.objects import Json

RULES = "x-kubernetes-validations"


def has_rules(schema: Any) -> bool:
    """Whether a schema has rules anywhere."""
    if isinstance(schema, dict):
        return bool(schema.get(RULES)) or any(has_rules(part) for part in schema.values())
    return isinstance(schema, list) and any(has_rules(part) for part in schema)


def check(obj: Json, schema: Json, old: Any) -> list[FieldError]:
    """The errors of all rules in a schema. `old` is the object before, MISSING when there was none."""
    return list(_check(obj, schema, "", old))


def _check(value: Any, schema: Json, path: str, old: Any) -> Iterator[FieldError]:
    if value is None:
        return
    for rule in schema.get(RULES) or ():
        yield from _rule(rule, value, schema, path, old)
    if isinstance(value, dict):
        properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
        for key, item in value.items():
            sub = properties.get(key, more)
            if isinstance(sub, dict):
                was = old.get(key, MISSING) if isinstance(old, dict) else MISSING
                yield from _check(item, sub, f"{path}.{key}" if path else key, was)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        # Only the items of a map list have old values: those of others cannot be told apart.
        is_map = isinstance(old, list) and schema.get("x-kubernetes-list-type") == "map"
        before = {_key(item, schema): item for item in old} if is_map else {}
        for i, item in enumerate(value):
            yield from _check(item, schema["items"], f"{path}[{i}]", before.get(_key(item, schema), MISSING))


def _key(item: Any, schema: Json) -> str:
    keys = schema.get("x-kubernetes-list-map-keys", ())
    return show([item.get(key) for key in keys]) if isinstance(item, dict) else ""


def _rule(rule: Json, value: Any, schema: Json, path: str, old: Any) -> Iterator[FieldError]:
    text, optional = rule["rule"], rule.get("optionalOldSelf")
    variables = {"self": _self(value, schema, path)}
    if "oldSelf" in text:
        if old is MISSING and not optional:
            return
        before = None if old is MISSING else _self(old, schema, path)
        variables["oldSelf"] = (
            (cel.engine().OptionalValue.none() if before is None else cel.engine().OptionalValue.of(before))
            if optional
            else before
        )
    try:
        passed = cel.run(text, variables)
    except Exception as error:  # the engine raises many types, all of them failures of this rule
        yield FieldError(
            "FieldValueInvalid", _field(path), f"Invalid value: rule evaluation error: {cel.reason(error)}"
        )
        return
    if passed is not True:
        reason = rule.get("reason") or "FieldValueInvalid"
        field = _field(path + re.sub(r"\['([^']*)'\]", r"[\1]", rule.get("fieldPath") or "")).lstrip(".")
        shown = "" if isinstance(value, dict | list) else f"{show(value)}: "
        heads = {
            "FieldValueForbidden": "Forbidden: ",
            "FieldValueRequired": "Required value: ",
            "FieldValueDuplicate": f"Duplicate value: {shown}",
        }
        yield FieldError(reason, field, heads.get(reason, f"Invalid value: {shown}") + _message(rule, variables))


def _self(value: Any, schema: Json, path: str) -> Any:
    if path or not isinstance(value, dict) or "metadata" not in value:
        return to_cel(value, schema)
    head = {key: value["metadata"][key] for key in ("name", "generateName") if key in value["metadata"]}
    body = to_cel({key: item for key, item in value.items() if key != "metadata"}, schema)
    return {**body, "metadata": head}


def _field(path: str) -> str:
    return path or "<nil>"


def _message(rule: Json, variables: dict[str, Any]) -> str:
    if rule.get("messageExpression"):
        try:
            text = cel.run(rule["messageExpression"], variables)
        except Exception:  # a failing expression falls back to the message, as in Kubernetes
            text = ""
        if isinstance(text, str) and text.strip() and "\n" not in text:
            return text
    return rule.get("message") or f"failed rule: {' '.join(rule['rule'].split())}"
