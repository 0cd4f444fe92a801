"""Expressions in CEL about `claims` or `user`, in an AuthenticationConfiguration."""

from __future__ import annotations

from typing import Any

from cluster.tokens import InvalidToken
from kube import cel
from kube.cel.expressions import compiled
from kube.objects import Json


def compiles(expression: str, variable: str) -> None:
    """Raises ValueError for what is no expression."""
    compiled(expression, (variable,))


def value(expression: str, variable: str, given: Json) -> Any:
    """The value of an expression about `given`. Raises InvalidToken."""
    try:
        return compiled(expression, (variable,)).value({variable: given})
    except (cel.CompileError, cel.EvaluationError) as error:
        raise InvalidToken(f"oidc: error evaluating expression '{expression}': {error}") from error
