"""Expressions in CEL about `claims` or `user`, in an AuthenticationConfiguration."""

from __future__ import annotations

from typing import Any

from cluster.tokens import InvalidToken
from kube import cel
from kube.objects import Json


def compiles(expression: str, variable: str) -> None:
    """Raises ValueError for what is no expression."""
    cel.program(expression)


def value(expression: str, variable: str, given: Json) -> Any:
    """The value of an expression about `given`. Raises InvalidToken."""
    try:
        return cel.run(expression, {variable: given})
    except Exception as error:  # the engine raises many types, all of them failures of this expression
        raise InvalidToken(f"oidc: error evaluating expression '{expression}': {cel.reason(error)}") from error
