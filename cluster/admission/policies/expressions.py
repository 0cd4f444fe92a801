"""The expressions of a policy, evaluated on one write."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

from cluster.admission.plugin import CREATE, DELETE
from cluster.admission.policies import authorizer
from cluster.admission.policies.matching import namespace_of
from cluster.admission.request import Request
from kube import cel
from kube.cel.expressions import compiled
from kube.objects import Json
from kube.registry import Kind

VARIABLE = re.compile(r"\bvariables\.([A-Za-z_]\w*)")
VARIABLES = ("object", "oldObject", "request", "params", "namespaceObject", "authorizer", "variables")
MAX_MESSAGE = 5 * 1024  # characters of what a messageExpression may make


class Failed(Exception):
    """An expression has no value; the text says which, and why."""


class Evaluation:
    """The expressions of one policy on one write, with one set of parameters.

    `kind` is the version in which the policy sees the object. Variables are evaluated when an expression first asks for
    them, and once.
    """

    def __init__(
        self, request: Request, kind: Kind, variables: Sequence[Json] = (), params: Json | None = None
    ) -> None:
        self._definitions = {variable["name"]: variable["expression"] for variable in variables}
        self._values: dict[str, Any] = {}
        self._types: dict[str, str] = {}
        for name, text in self._definitions.items():
            try:
                self._types[name] = compiled(text, VARIABLES, self._types).result
            except cel.CompileError:  # it fails when it is asked for
                self._types[name] = "dyn"
        self._budget, self._check = cel.Budget(), authorizer.checker(request)
        deleted, created = request.operation == DELETE, request.operation == CREATE
        self._given: dict[str, Any] = {
            "object": None if deleted else seen(request.obj, request.kind, kind),
            "oldObject": None if created or request.old is None else seen(request.old, request.kind, kind),
            "request": attributes(request, kind),
            "params": params,
            "namespaceObject": _namespace(namespace_of(request)),
            **authorizer.variables(request),
        }

    def value(self, expression: str, mutation: bool = False) -> Any:
        """`mutation`: it may make objects. Raises Failed."""
        composed = self._composed(expression)
        try:
            with self._budget, authorizer.answered(self._check):
                program = compiled(expression, VARIABLES, self._types, mutation)
                return program.value({**self._given, "variables": composed})
        except (cel.CompileError, cel.EvaluationError) as error:
            raise Failed(f"expression '{expression}' resulted in error: {error}") from error

    def holds(self, expression: str) -> bool:
        """Raises Failed, also for what is neither true nor false."""
        found = self.value(expression)
        if not isinstance(found, bool):
            raise Failed(f"expression '{expression}' resulted in error: it is no bool")
        return found

    def message(self, validation: Json) -> str:
        """What a validation that failed says: its `messageExpression`, its `message`, or the expression itself."""
        if validation.get("messageExpression"):
            try:
                text = self.value(validation["messageExpression"])
            except Failed:  # then the message counts, as in Kubernetes
                text = ""
            if isinstance(text, str) and text.strip() and "\n" not in text and len(text) <= MAX_MESSAGE:
                return text.strip()
        return (validation.get("message") or "").strip() or f"failed expression: {validation['expression'].strip()}"

    def annotation(self, expression: str) -> str:
        """What an audit annotation says, "" for null. Raises Failed."""
        found = self.value(expression)
        if found is not None and not isinstance(found, str):
            raise Failed(f"expression '{expression}' resulted in error: it is neither string nor null")
        return (found or "").strip()

    def _composed(self, expression: str) -> dict[str, Any]:
        return {name: self._variable(name) for name in VARIABLE.findall(expression)}

    def _variable(self, name: str) -> Any:
        if name not in self._values:
            try:
                self._values[name] = self.value(self._definitions[name])
            except Failed as error:
                raise Failed(f'composited variable "{name}" fails to evaluate: {error}') from error
        return self._values[name]


def concerned(evaluation: Evaluation, conditions: list[Json]) -> bool:
    """Whether all conditions hold. One that does not settles it, whichever others fail: raises Failed only without one."""
    failed: list[Failed] = []
    for condition in conditions:
        try:
            if not evaluation.holds(condition["expression"]):
                return False
        except Failed as error:
            failed.append(error)
    if failed:
        raise Failed("; ".join(map(str, failed)))
    return True


def _namespace(found: Json | None) -> Json | None:
    """A namespace as the variable: its times are times."""
    if found is None:
        return None
    from kube.cel import messages  # here, where an expression is: most clusters have none

    meta = {
        key: messages.timestamp(value) if key.endswith("Timestamp") else value
        for key, value in found["metadata"].items()
        if value is not None
    }
    return {**found, "metadata": meta}


def seen(obj: Json, stored: Kind, kind: Kind) -> Json:
    """An object that is kept as `stored`, in the version of `kind`. It must not be changed."""
    return obj if kind is stored else kind.from_storage(copy.deepcopy(obj))


def attributes(request: Request, kind: Kind) -> Json:
    """The variable `request`: an AdmissionRequest without its objects."""
    asked, sub = request.asked, request.subresource
    return {
        "kind": _gvk(kind),
        "resource": _gvr(kind),
        "subResource": sub,
        "requestKind": _gvk(asked),
        "requestResource": _gvr(asked),
        "requestSubResource": sub,
        "name": request.name,
        "namespace": request.namespace,
        "operation": request.operation,
        "userInfo": {"groups": [], **request.user.info()},
        "dryRun": request.dry_run,
    }


def _gvk(kind: Kind) -> Json:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _gvr(kind: Kind) -> Json:
    return {"group": kind.group, "version": kind.version, "resource": kind.plural}
