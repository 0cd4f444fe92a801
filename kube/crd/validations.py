"""The rules of a schema (`x-kubernetes-validations`): compiled once, run over objects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from kube import cel
from kube.cel.values import to_cel
from kube.crd.structural import EMBEDDED
from kube.crd.values import MISSING
from kube.errors import FieldError, show
from kube.objects import Json

RULES = "x-kubernetes-validations"
_HEADS = {"FieldValueForbidden": "Forbidden: ", "FieldValueRequired": "Required value: "}
_uses_old = re.compile(r"\boldSelf\b").search


def has_rules(schema: Any) -> bool:
    """Whether a schema has rules anywhere."""
    if isinstance(schema, dict):
        return bool(schema.get(RULES)) or any(has_rules(part) for part in schema.values())
    return isinstance(schema, list) and any(has_rules(part) for part in schema)


def is_transition(rule: Json) -> bool:
    """Whether a rule compares with what was before."""
    return bool(_uses_old(rule["rule"]) or _uses_old(rule.get("messageExpression") or ""))


class Compiler:
    """Compiles the rules of one schema, each in the types of the part that it stands at."""

    def __init__(self, schema: Json) -> None:
        self._schema = schema
        self._environments: dict[tuple[int, bool, bool], cel.Environment] = {}

    @cached_property
    def _types(self) -> Any:
        return cel.of_schema(self._schema, True)

    def declared(self, part: Json, resource: bool) -> Any:
        """What is known of the values of a part; None where that is nothing."""
        return self._types[1](part, resource)

    def compile(self, text: str, part: Json, resource: bool, optional: bool) -> cel.Program:
        """Raises CompileError."""
        key = (id(part), resource, optional)
        if key not in self._environments:
            found = self.declared(part, resource)
            names = ("self", "oldSelf")
            self._environments[key] = cel.Environment(
                dict.fromkeys(names, found.kind if found else "dyn"),
                self._types[0],
                dict.fromkeys(names, found) if found else {},
                frozenset({"oldSelf"} if optional else ()),
            )
        return self._environments[key].compile(text)


class Rules:
    """The rules of a schema, compiled when they first meet an object that they are about."""

    def __init__(self, schema: Json) -> None:
        self._schema, self._compiler = schema, Compiler(schema)
        self._programs: dict[tuple[int, str], cel.Program | cel.CompileError] = {}
        self._ruled: dict[int, bool] = {}

    def check(self, obj: Json, old: Any) -> list[FieldError]:
        """The errors of all rules. `old` is the object before, MISSING when there was none."""
        with cel.Budget():
            return list(self._check(obj, self._schema, "", old))

    def _check(self, value: Any, schema: Json, path: str, old: Any) -> Iterator[FieldError]:
        if value is None or not self._has_rules(schema):
            return
        if schema.get(RULES):
            seen = _self(value, schema, path)
            for rule in schema[RULES]:
                yield from self._rule(rule, value, seen, schema, path, old)
        if isinstance(value, dict):
            properties, more = schema.get("properties") or {}, schema.get("additionalProperties")
            for key, item in value.items():
                sub = properties.get(key, more)
                if isinstance(sub, dict):
                    was = old.get(key, MISSING) if isinstance(old, dict) else MISSING
                    yield from self._check(item, sub, f"{path}.{key}" if path else key, was)
        elif isinstance(value, list) and isinstance(schema.get("items"), dict):
            # Only the items of a map list have old values: those of others cannot be told apart.
            is_map = isinstance(old, list) and schema.get("x-kubernetes-list-type") == "map"
            before = {_key(item, schema): item for item in old} if is_map else {}
            for i, item in enumerate(value):
                yield from self._check(item, schema["items"], f"{path}[{i}]", before.get(_key(item, schema), MISSING))

    def _has_rules(self, schema: Json) -> bool:
        found = self._ruled.get(id(schema))
        if found is None:
            found = self._ruled[id(schema)] = has_rules(schema)
        return found

    def _rule(self, rule: Json, value: Any, seen: Any, schema: Json, path: str, old: Any) -> Iterator[FieldError]:
        optional = bool(rule.get("optionalOldSelf"))
        variables = {"self": seen}
        if is_transition(rule):
            if old is MISSING and not optional:
                return
            before = [] if old is MISSING else [_self(old, schema, path)]
            variables["oldSelf"] = before if optional else before[0]
        try:
            passed = self._value(rule, "rule", schema, path, variables)
        except (cel.CompileError, cel.EvaluationError) as error:
            kind = schema.get("type") or "object"
            message = f'Invalid value: "{kind}": {error} evaluating rule: {rule["rule"]}'
            yield FieldError("FieldValueInvalid", _field(path), message)
            return
        if passed is not True:
            reason = rule.get("reason") or "FieldValueInvalid"
            field = _field(path + re.sub(r"\['([^']*)'\]", r"[\1]", rule.get("fieldPath") or "")).lstrip(".")
            shown = "" if isinstance(value, dict | list) else f"{show(value)}: "
            word = "Duplicate" if reason == "FieldValueDuplicate" else "Invalid"
            head = _HEADS.get(reason, f"{word} value: {shown}")
            yield FieldError(reason, field, head + self._message(rule, schema, path, variables))

    def _value(self, rule: Json, key: str, schema: Json, path: str, variables: Json) -> Any:
        found = self._programs.get((id(rule), key))
        if found is None:
            try:
                resource = not path or bool(schema.get(EMBEDDED))
                found = self._compiler.compile(rule[key], schema, resource, bool(rule.get("optionalOldSelf")))
            except cel.CompileError as error:
                found = error
            self._programs[(id(rule), key)] = found
        if isinstance(found, cel.CompileError):
            raise found
        return found.value(variables)

    def _message(self, rule: Json, schema: Json, path: str, variables: dict[str, Any]) -> str:
        if rule.get("messageExpression"):
            try:
                text = self._value(rule, "messageExpression", schema, path, variables)
            except (cel.CompileError, cel.EvaluationError):  # then the message counts, as in Kubernetes
                text = ""
            if isinstance(text, str) and text.strip() and "\n" not in text:
                return text
        return rule.get("message") or f"failed rule: {' '.join(rule['rule'].split())}"


def _key(item: Any, schema: Json) -> str:
    keys = schema.get("x-kubernetes-list-map-keys", ())
    return show([item.get(key) for key in keys]) if isinstance(item, dict) else ""


def _self(value: Any, schema: Json, path: str) -> Any:
    if (path and not schema.get(EMBEDDED)) or not isinstance(value, dict) or "metadata" not in value:
        return to_cel(value, schema)
    head = {key: value["metadata"][key] for key in ("name", "generateName") if key in value["metadata"]}
    body = to_cel({key: item for key, item in value.items() if key != "metadata"}, schema)
    return {**body, "metadata": head}


def _field(path: str) -> str:
    return path or "<nil>"
