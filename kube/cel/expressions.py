"""Rules for fields that hold an expression in the Common Expression Language."""

from __future__ import annotations

import re
from collections.abc import Collection

from kube import cel
from kube.errors import FieldError, duplicate, invalid, required
from kube.objects import Json
from kube.validation import check_required, qualified_name

MAX_CONDITIONS = 64
# Names that the language itself gives: types, and what namespaced functions begin with.
BUILT_IN = frozenset(
    (
        "bool",
        "bytes",
        "double",
        "int",
        "list",
        "map",
        "null_type",
        "string",
        "type",
        "uint",
        "duration",
        "timestamp",
        "dyn",
        "optional",
        "cel",
        "math",
        "sets",
        "strings",
        "base64",
        "ip",
        "cidr",
        "format",
        "quantity",
        "url",
        "semver",
        "google",
        "kubernetes",
        "Object",
        "JSONPatch",
        "jsonpatch",
    )
)
# A macro binds its first arguments: `list.all(item, …)`, `map.all(key, value, …)`, `cel.bind(name, …)`.
_BOUND = re.compile(
    r"\.(?:all|exists|exists_one|existsOne|filter|map|sortBy|bind|transform\w*)\(\s*"
    r"([A-Za-z_]\w*)\s*,(?:\s*([A-Za-z_]\w*)\s*,)?"
)
_COMPOSED = re.compile(r"\bvariables\.([A-Za-z_]\w*)")
_KINDS = {bool: "bool", str: "string", int: "int", float: "double", list: "list", dict: "map"}


def check_expression(
    path: str, text: str, variables: Collection[str], composed: Collection[str] = (), result: str = ""
) -> list[FieldError]:
    """An expression that parses and uses only known variables; a constant one must be of type `result` if given.

    `composed` are the names that may follow `variables.`.
    """
    if not text or not text.strip():
        return [required(path)]
    try:
        program = cel.program(text)
    except ValueError as error:
        reason = str(error)
        return [invalid(path, text, f"compilation failed: {reason[max(0, reason.find('ERROR:')) :]}")]
    bound = {name for names in _BOUND.findall(text) for name in names}
    for name in program.variables():
        if name not in variables and name not in bound and name not in BUILT_IN:
            return [invalid(path, text, f"compilation failed: undeclared reference to '{name}' (in container '')")]
    for name in _COMPOSED.findall(text):
        if name not in composed:
            return [invalid(path, text, f"compilation failed: undefined field '{name}'")]
    if result and not program.variables():
        try:
            found = _KINDS.get(type(cel.run(text, {})), "dyn")
        except (
            Exception
        ):  # the engine raises many types; what fails when it runs is reported then, not when it is stored
            return []
        if found not in (result, "dyn"):
            return [invalid(path, text, f"must evaluate to {result} but got {found}")]
    return []


def check_match_conditions(conditions: list[Json], path: str, variables: Collection[str]) -> list[FieldError]:
    """Named expressions that say whether a request concerns a webhook or policy."""
    if len(conditions) > MAX_CONDITIONS:
        return [invalid(path, len(conditions), f"must have at most {MAX_CONDITIONS} items")]
    errors: list[FieldError] = []
    names: set[str] = set()
    for i, condition in enumerate(conditions):
        name, at = condition.get("name") or "", f"{path}[{i}]"
        errors += check_expression(f"{at}.expression", condition.get("expression") or "", variables, result="bool")
        errors += check_required(f"{at}.name", name, qualified_name)
        if name and name in names:
            errors.append(duplicate(f"{at}.name", name))
        names.add(name)
    return errors
