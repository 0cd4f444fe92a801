"""Whether the expressions of a policy fit the kinds that its rules name: what its status warns of.

Nothing is refused for it: in force, `object` and `params` are of any type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from cluster.admission.policies.expressions import VARIABLE
from kube import cel, crd
from kube.cel.expressions import TYPES
from kube.crd.structural import INT_OR_STRING
from kube.objects import Json
from kube.registry import Kind, Registry
from kube.schema import definitions
from kube.schema.indexed import IndexedFile
from kube.schema.publish import PREFIX

MAX_KINDS = 10
MAX_DEPTH = 10  # variables that need one another: what is further is of any type
_GIVEN = ("request", "namespaceObject", "authorizer", "authorizer.requestResource")


def warnings(spec: Json, registry: Registry) -> list[Json]:
    """The ExpressionWarnings of a ValidatingAdmissionPolicy: `fieldRef`, and what is wrong by kind."""
    checks = [(kind, _Check(kind, spec, registry)) for kind in kinds(spec, registry)]
    found = []
    for i, validation in enumerate(spec.get("validations") or ()):
        for field in ("expression", "messageExpression"):
            told = [
                f"{kind.group}/{kind.version}, Kind={kind.kind}: {error}\n"
                for kind, check in checks
                if (error := check.error(validation.get(field) or ""))
            ]
            if told:
                found.append({"fieldRef": f"spec.validations[{i}].{field}", "warning": "\n".join(told)})
    return found


def kinds(spec: Json, registry: Registry) -> list[Kind]:
    """The kinds that are checked: those that the rules name without a wildcard, MAX_KINDS at most."""
    served = sorted(registry.all(), key=lambda kind: (kind.group, kind.version, kind.plural))
    found: dict[str, Kind] = {}
    rules = (spec.get("matchConstraints") or {}).get("resourceRules") or ()
    for kind in (kind for rule in rules for kind in _named(rule, served)):
        found[f"{kind.api_version}/{kind.kind}"] = kind
        if len(found) == MAX_KINDS:
            break
    return sorted(found.values(), key=lambda kind: (kind.group, kind.version, kind.kind))


def _named(rule: Json, served: list[Kind]) -> Iterator[Kind]:
    groups, versions = set(rule.get("apiGroups") or ()), set(rule.get("apiVersions") or ())
    if any("*" in name for name in groups | versions):
        return
    plurals = set(rule.get("resources") or ())
    for kind in served:
        named = kind.group in groups and kind.version in versions and kind.plural in plurals
        if named and definitions.known(kind.definition):
            yield kind


class _Check:
    """The expressions of a policy, in the types of one kind."""

    def __init__(self, kind: Kind, spec: Json, registry: Registry) -> None:
        self._types, declared = cel.of_schema({}, False)
        self._variables = {name: TYPES[name] for name in _GIVEN}
        params = spec.get("paramKind")
        if params:
            of = registry.by_gvk(params.get("apiVersion", ""), params.get("kind", ""))
            self._variables["params"] = _type(of and declared(inlined(of), False))
        self._variables |= dict.fromkeys(("object", "oldObject"), _type(declared(inlined(kind), False)))
        self._compose({variable["name"]: variable["expression"] for variable in spec.get("variables") or ()})

    def error(self, text: str) -> str:
        """What is wrong with an expression, "" if nothing is."""
        try:
            if text:
                self._environment.compile(text)
        except cel.CompileError as error:
            return str(error)
        return ""

    def _compose(self, waiting: dict[str, str]) -> None:
        """The environment with what the policy's variables are: first those that need none, then those that need these."""
        composed: dict[str, str] = {}
        for _ in range(MAX_DEPTH):
            ready = [name for name, text in waiting.items() if composed.keys() >= set(VARIABLE.findall(text))]
            if not ready:
                break
            environment = cel.Environment(self._variables, self._types, composed=composed)
            composed |= {name: _result(environment, waiting.pop(name)) for name in ready}
        composed |= dict.fromkeys(waiting, "dyn")
        self._environment = cel.Environment(self._variables, self._types, composed=composed)


def _type(declaration: Any) -> str:
    return declaration.kind if declaration else "dyn"


def _result(environment: cel.Environment, text: str) -> str:
    try:
        return environment.compile(text).result
    except cel.CompileError:  # it is not of this one that the status warns
        return "dyn"


def inlined(kind: Kind) -> Json:
    """The schema of a kind with what it refers to in place; what refers to itself ends as an object without fields."""
    source = definitions.published()
    custom = crd.published(kind).get(kind.definition)
    return _inlined(custom or _read(source, kind.definition), source, (kind.definition,))


def _read(source: IndexedFile, name: str) -> Json:
    return orjson.loads(source.read(name)[0]) if name in source else {}


def _inlined(schema: Json, source: IndexedFile, above: tuple[str, ...]) -> Json:
    for part in (schema, *(schema.get("allOf") or ())):
        name = part.get("$ref", "").removeprefix(PREFIX)
        if name in above:
            return {"type": "object"}
        if name:
            return _inlined(_read(source, name), source, (*above, name))
    found = {**schema, INT_OR_STRING: True} if schema.get("format") == "int-or-string" else dict(schema)
    if "properties" in found:
        found["properties"] = {key: _inlined(part, source, above) for key, part in found["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), dict):
            found[key] = _inlined(found[key], source, above)
    return found
