"""Rules for fields that hold an expression in the Common Expression Language."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from types import MappingProxyType

from kube import cel
from kube.errors import FieldError, duplicate, invalid, required
from kube.objects import Json
from kube.validation import check_required, qualified_name

MAX_CONDITIONS = 64
# The types of the variables that expressions may be given; others are `dyn`.
TYPES = {
    "request": "kubernetes.AdmissionRequest",
    "namespaceObject": "kubernetes.Namespace",
    "authorizer": "kubernetes.authorization.Authorizer",
    "authorizer.requestResource": "kubernetes.authorization.ResourceCheck",
    "device": "kubernetes.Device",
}
# What some variables bring along: functions of the language that others lack.
_EXTENSIONS = {"device": ("bindings",)}
Types = tuple[tuple[str, str], ...]
Made = tuple[tuple[str, tuple[str, ...]], ...]
_PATCH = ("JSONPatch", ("op", "path", "from", "value"))
# A text, a type that an object is made of, the name of a field.
_TOKEN = re.compile(
    r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|\bObject((?:\.\w+)*)\s*(?=\{)|\b([A-Za-z_]\w*)(?=\s*:)""", re.ASCII
)


@lru_cache(maxsize=256)
def _environment(variables: Types, composed: Types | None, made: Made) -> cel.Environment:
    kinds = {name: kind for name, kind in variables if name != "variables"}
    if "authorizer" in kinds:
        kinds["authorizer.requestResource"] = TYPES["authorizer.requestResource"]
    extensions = tuple(extension for name in kinds for extension in _EXTENSIONS.get(name, ()))
    types = None if composed is None else dict(composed)
    return cel.Environment(kinds, composed=types, extensions=extensions, made=dict(made))


@lru_cache(maxsize=4096)
def _compiled(names: Types, composed: Types | None, text: str, mutation: bool) -> cel.Program:
    if not mutation:
        return _environment(names, composed, ()).compile(text)
    # Every field may have an object of a type of its own, `Object.spec`: those that are named are declared.
    fields = tuple(dict.fromkeys(found[3] for found in _TOKEN.finditer(text) if found[3]))
    types = {"Object"}

    def flat(found: re.Match[str]) -> str:
        if found[1] or found[3]:
            return found[0]
        types.add(name := "Object" + found[2].replace(".", "__"))
        return name

    text = _TOKEN.sub(flat, text)
    return _environment(names, composed, (_PATCH, *((name, fields) for name in sorted(types)))).compile(text)


def compiled(
    text: str, variables: Collection[str], composed: Mapping[str, str] = MappingProxyType({}), mutation: bool = False
) -> cel.Program:
    """An expression that may use these variables, and after `variables.` the `composed` ones, of these types.

    `variables` may map names to types; a name alone has that of `TYPES`.

    A `mutation` may make objects of types `Object…` and `JSONPatch`: their values are maps. Raises CompileError.
    """
    given = variables if isinstance(variables, Mapping) else {name: TYPES.get(name, "dyn") for name in variables}
    types = tuple(composed.items()) if "variables" in variables else None
    return _compiled(tuple(given.items()), types, text, mutation)


def check_expression(
    path: str,
    text: str,
    variables: Collection[str],
    composed: Mapping[str, str] = MappingProxyType({}),
    result: str | tuple[str, ...] = (),
    mutation: bool = False,
) -> list[FieldError]:
    """An expression that compiles over these variables, and is of type `result`, or of one of them, if given."""
    if not text or not text.strip():
        return [required(path)]
    try:
        program = compiled(text, variables, composed, mutation)
    except cel.CompileError as error:
        return [invalid(path, text, f"compilation failed: {error}")]
    if result and program.result not in (wanted := (result,) if isinstance(result, str) else result):
        told = wanted[0] if len(wanted) == 1 else f"one of [{' '.join(wanted)}]"
        return [invalid(path, text, f"must evaluate to {told} but got {program.result}")]
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
