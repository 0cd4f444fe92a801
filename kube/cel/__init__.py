"""The Common Expression Language: check an expression against the types of its variables, know its cost, run it.

An `Environment` says which variables there are and of which types; `compile` makes a `Program`, which runs over plain
values. The engine is `cel-expr-python` (C++); it and its protocol buffers are loaded when the first expression is there.
Expressions are checked with the declared types and run with plain maps, since fields that are not set are missing there.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kube.cel.declarations import Declaration, Schema
    from kube.cel.environment import Engine
    from kube.objects import Json

# Limits of Kubernetes, in units of `cost`.
MAX_ESTIMATE, MAX_ESTIMATE_OF_SCHEMA = 10_000_000, 100_000_000
MAX_COST, MAX_COST_OF_OBJECT = 1_000_000, 10_000_000
_MAX_SECONDS = 2.0  # of processor time: what the counted steps do not show
OVER = "operation cancelled: actual cost limit exceeded"
_lock = threading.Lock()
_engine: Engine | None = None


class CompileError(ValueError):
    """An expression is none, or not of the right types; the text says where, in the words of Kubernetes."""


class EvaluationError(Exception):
    """An expression has no value; the text says why."""


class Budget:
    """What the expressions about one object may cost together: those that run within `with budget:`."""

    def __init__(self, cost: int = MAX_COST_OF_OBJECT) -> None:
        self._left, self._until = cost, time.thread_time() + _MAX_SECONDS

    def __enter__(self) -> None:
        self._token = _budget.set(self)

    def __exit__(self, *_: object) -> None:
        _budget.reset(self._token)

    def spend(self, cost: int) -> bool:
        """Raises ValueError where there is nothing left."""
        self._left -= cost
        if self._left < 0 or time.thread_time() > self._until:
            raise ValueError(OVER)
        return True


_budget: contextvars.ContextVar[Budget] = contextvars.ContextVar("budget")


def spend(cost: int) -> bool:
    """What a loop of an expensive expression does in every turn. Raises ValueError."""
    return _budget.get().spend(cost)


def grown(value: Any) -> Any:
    """A sum in an expensive expression, whose length is charged as Kubernetes does. Raises ValueError."""
    if isinstance(value, str | bytes | bytearray | list):
        spend(len(value) // 10 + 1)
    from kube.cel.messages import given

    return given(value)


def engine() -> Engine:
    """The engine, loaded."""
    global _engine
    with _lock:
        if _engine is None:
            from kube.cel.environment import Engine

            _engine = Engine()
    return _engine


class Program:
    """An expression that was checked. `result` is its type in the notation of `Environment`; `cost` bounds its cost."""

    def __init__(self, run: Any, result: str, cost: int, counted: bool) -> None:
        self._run, self.result, self.cost, self._counted = run, result, cost, counted

    def value(self, variables: Mapping[str, Any]) -> Any:
        """The value with these variables, as plain values. Raises EvaluationError."""
        if not self._counted or _budget.get(None) is not None:
            return engine().evaluate(self._run, variables)
        with Budget(MAX_COST):
            return engine().evaluate(self._run, variables)


class Environment:
    """The variables that expressions may use, and their types.

    Types: `dyn`, `bool`, `int`, `double`, `string`, `bytes`, `list<T>`, `map<string, T>`, messages by name. `schema` has
    the messages that are made of a schema, `declared` the variables whose sizes it knows. The variables in `optional`
    are optional ones, given as a list with the value, or an empty one. `composed` are the types of what follows
    `variables.`, `made` the types that expressions make objects of, with their fields: their values are maps.
    """

    def __init__(
        self,
        variables: Mapping[str, str],
        schema: Schema | None = None,
        declared: Mapping[str, Declaration] | None = None,
        optional: frozenset[str] = frozenset(),
        composed: Mapping[str, str] | None = None,
        extensions: tuple[str, ...] = (),
        made: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    ) -> None:
        self._declared, self._optional = declared or {}, optional
        self._checker = engine().checker(variables, schema, optional, composed, extensions, made)

    def compile(self, text: str) -> Program:
        """Raises CompileError."""
        run, result, cost, counted = engine().compile(self._checker, text, self._declared, self._optional)
        return Program(run, result, cost, counted)


def of_schema(schema: Json, resource: bool) -> tuple[Schema, Callable[[Json, bool], Declaration | None]]:
    """The declarations of a schema, and the function that gives those of its parts."""
    from kube.cel.declarations import Schema

    found = Schema(schema, resource)
    return found, found.of
