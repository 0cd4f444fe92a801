"""What the rules of a CRD's schema must fulfil: they compile in the types of the schema, and do not cost too much."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kube import cel
from kube import errors as e
from kube.crd.structural import EMBEDDED
from kube.crd.validations import RULES, Compiler, has_rules, is_transition
from kube.errors import FieldError
from kube.objects import Json

REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_HINT = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are "
    "declared)"
)
_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\['([^']*)'\]")
_LARGEST = 3 * 1024 * 1024  # bytes of an object: how often something is in it at most, where nothing else bounds that


def check(schema: Json, path: str) -> list[FieldError]:
    """All errors of the rules in an `openAPIV3Schema` at `path`."""
    if not has_rules(schema):
        return []
    checking = _Checking(schema)
    errors = list(checking.all(schema, path, resource=True, times=1, unordered=""))
    if checking.total > cel.MAX_ESTIMATE_OF_SCHEMA:
        what = f"{RULES} estimated rule cost total for entire OpenAPIv3 schema"
        errors.append(e.forbidden(path, _exceeds(what, checking.total, cel.MAX_ESTIMATE_OF_SCHEMA)))
    return errors


def _exceeds(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    text = "more than 100x" if factor > 100 else f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    return f"{what} exceeds budget by factor of {text} {_HINT}"


class _Checking:
    """`total` is what all rules cost that were looked at."""

    def __init__(self, schema: Json) -> None:
        self._compiler, self.total = Compiler(schema), 0

    def all(self, schema: Json, path: str, resource: bool, times: int | None, unordered: str) -> Iterator[FieldError]:
        """The rules at the places where a schema states types; below junctors there are none.

        `times`: how often the place may be in an object, None for nobody knows; `unordered`: the path of a list above
        it whose items cannot be told apart.
        """
        if not has_rules(schema):
            return
        resource = resource or bool(schema.get(EMBEDDED))
        for i, rule in enumerate(schema.get(RULES) or ()):
            yield from self._rule(rule, schema, f"{path}.{RULES}[{i}]", resource, times, unordered)
        for name, part in (schema.get("properties") or {}).items():
            yield from self.all(part, f"{path}.properties[{name}]", False, times, unordered)
        for key, most in (("items", "maxItems"), ("additionalProperties", "maxProperties")):
            if isinstance(schema.get(key), dict):
                more = times * schema[most] if times is not None and most in schema else None
                apart = key != "items" or schema.get("x-kubernetes-list-type") == "map"
                yield from self.all(
                    schema[key], f"{path}.{key}", False, more, unordered if apart else unordered or path
                )

    def _rule(
        self, rule: Json, schema: Json, place: str, resource: bool, times: int | None, unordered: str
    ) -> Iterator[FieldError]:
        if not str(rule.get("rule", "")).strip():
            yield e.required(f"{place}.rule", "rule is not specified")
            return
        if rule.get("reason") and rule["reason"] not in REASONS:
            yield e.not_supported(f"{place}.reason", rule["reason"], REASONS)
        if rule.get("fieldPath") and not _leads_somewhere(rule["fieldPath"], schema):
            yield e.invalid(f"{place}.fieldPath", rule["fieldPath"], "must be a valid path")
        if rule.get("optionalOldSelf") is not None and not is_transition(rule):
            text = "may not be set if oldSelf is not used in rule"
            yield e.invalid(f"{place}.optionalOldSelf", rule["optionalOldSelf"], text)
        if is_transition(rule) and unordered:
            text = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {unordered}"
            yield e.invalid(f"{place}.rule", rule["rule"], text)
        complaint = "cel expression must evaluate to a bool"
        yield from self._expression(rule, "rule", "bool", complaint, schema, place, resource, times)
        if rule.get("messageExpression"):
            complaint = "messageExpression must evaluate to a string"
            yield from self._expression(rule, "messageExpression", "string", complaint, schema, place, resource, times)

    def _expression(
        self,
        rule: Json,
        key: str,
        wanted: str,
        complaint: str,
        schema: Json,
        place: str,
        resource: bool,
        times: int | None,
    ) -> Iterator[FieldError]:
        try:
            program = self._compiler.compile(rule[key], schema, resource, bool(rule.get("optionalOldSelf")))
        except cel.CompileError as error:
            yield e.invalid(f"{place}.{key}", rule, f"compilation failed: {error}")
            return
        if program.result != wanted:
            yield e.invalid(f"{place}.{key}", rule, complaint)
            return
        declared = self._compiler.declared(schema, resource)
        cost = program.cost * (_LARGEST // ((declared.least if declared else 1) + 1) if times is None else times)
        self.total += cost
        if cost > cel.MAX_ESTIMATE:
            yield e.forbidden(f"{place}.{key}", _exceeds(f"estimated {key} cost", cost, cel.MAX_ESTIMATE))


def _leads_somewhere(path: str, schema: Json) -> bool:
    for name in _STEP.findall(path):
        schema = (schema.get("properties") or {}).get(name[0] or name[1]) or schema.get("additionalProperties") or {}
    return bool(schema)
