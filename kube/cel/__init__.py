"""Rules in the Common Expression Language: `x-kubernetes-validations`.

The language is that of the `common-expression-language` package (Rust). Only its extension module is loaded, 45 ms and
5 MB when the first rule is met: the package's own import drags a command line program in.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib import util
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kube.cel import functions as celfunctions
from kube.cel.values import to_cel
from kube.crd.values import MISSING
from kube.errors import FieldError, show

Json = dict[str, Any]
RULES = "x-kubernetes-validations"
_lock = threading.Lock()
_module: Any = None


def engine() -> Any:
    """The extension module of the CEL package."""
    global _module
    with _lock:
        if _module is None:
            package = util.find_spec("cel")
            places = package.submodule_search_locations if package else None
            path = next(Path(places[0]).glob("cel.*.so"), None) if places else None
            spec = util.spec_from_file_location("cel.cel", path) if path else None
            if spec is None or spec.loader is None:
                raise RuntimeError(
                    "rules in CEL need the package common-expression-language: run `pip install -r requirements.txt`"
                )
            module = util.module_from_spec(spec)
            spec.loader.exec_module(module)
            _module = module
    return _module


@lru_cache(maxsize=2048)
def program(expression: str) -> Any:
    """A compiled expression. Raises ValueError where it is none."""
    return engine().compile(expression)


def run(
    expression: str, variables: dict[str, Any], more: Mapping[str, Callable[..., Any]] = MappingProxyType({})
) -> Any:
    """The value of an expression, which may use `more` functions; raises what the engine raises."""
    context = engine().Context()
    for name, function in {**celfunctions.FUNCTIONS, **more}.items():
        context.add_function(name, function)
    for name, value in variables.items():
        context.add_variable(name, value)
    return program(expression).execute(context)


def reason(error: Exception) -> str:
    """What the engine raised, in the words of Kubernetes."""
    if isinstance(error, KeyError):
        return f"no such key: {error.args[0]}"
    if isinstance(error, ZeroDivisionError):
        return "division by zero"
    text = str(error)
    return "no such overload" if text.startswith("No such overload") else text


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
        before = _before(old, schema)
        for i, item in enumerate(value):
            yield from _check(item, schema["items"], f"{path}[{i}]", before.get(_key(item, schema), MISSING))


def _key(item: Any, schema: Json) -> str:
    keys = schema.get("x-kubernetes-list-map-keys", ())
    return show([item.get(key) for key in keys]) if isinstance(item, dict) else ""


def _before(old: Any, schema: Json) -> dict[str, Any]:
    """The old items of a map list by key; others cannot be told apart and have no old value."""
    if isinstance(old, list) and schema.get("x-kubernetes-list-type") == "map":
        return {_key(item, schema): item for item in old}
    return {}


def _rule(rule: Json, value: Any, schema: Json, path: str, old: Any) -> Iterator[FieldError]:
    text, optional = rule["rule"], rule.get("optionalOldSelf")
    variables = {"self": _self(value, schema, path)}
    if "oldSelf" in text:
        if old is MISSING and not optional:
            return
        before = None if old is MISSING else _self(old, schema, path)
        variables["oldSelf"] = (
            (engine().OptionalValue.none() if before is None else engine().OptionalValue.of(before))
            if optional
            else before
        )
    try:
        passed = run(text, variables)
    except Exception as error:  # the engine raises many types, all of them failures of this rule
        yield FieldError("FieldValueInvalid", _field(path), f"Invalid value: rule evaluation error: {reason(error)}")
        return
    if passed is not True:
        yield _failure(rule, value, path, _message(rule, variables))


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
            text = run(rule["messageExpression"], variables)
        except Exception:  # a failing expression falls back to the message, as in Kubernetes
            text = ""
        if isinstance(text, str) and text.strip() and "\n" not in text:
            return text
    return rule.get("message") or f"failed rule: {' '.join(rule['rule'].split())}"


def _failure(rule: Json, value: Any, path: str, message: str) -> FieldError:
    reason = rule.get("reason") or "FieldValueInvalid"
    field = _field(path + re.sub(r"\['([^']*)'\]", r"[\1]", rule.get("fieldPath") or "")).lstrip(".")
    shown = "" if isinstance(value, dict | list) else f"{show(value)}: "
    heads = {
        "FieldValueForbidden": "Forbidden: ",
        "FieldValueRequired": "Required value: ",
        "FieldValueDuplicate": f"Duplicate value: {shown}",
    }
    return FieldError(reason, field, heads.get(reason, f"Invalid value: {shown}") + message)
