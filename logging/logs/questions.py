"""What may be asked of the store, read from JSON bodies: every field is checked, and what is wrong is named."""

from __future__ import annotations

import time
from typing import Any

import orjson

from logs.query import QueryError, fields, moments, parse
from logs.query.nodes import And, AnyOf, Node, both
from logs.search import scope
from logs.search.backend import MAX_BUCKETS, MAX_LIMIT, MAX_TOP, Asked, Place
from web.http1 import Refusal

STEPS = (
    100,
    200,
    500,
    1000,
    2000,
    5000,
    10_000,
    30_000,
    60_000,
    120_000,
    300_000,
    600_000,
    1_800_000,
    3_600_000,
    7_200_000,
    21_600_000,
    43_200_000,
    86_400_000,
)  # milliseconds of a bucket
LAST = 253_402_300_799 * 10**9  # the end of the year 9999


class BadQuery(Refusal):
    """With the place in the query: `{"error", "column", "length"}`."""

    def __init__(self, error: QueryError) -> None:
        super().__init__(400, str(error))
        self.column, self.length = error.column, error.length


class Question:
    """One request's body. Raises Refusal."""

    def __init__(self, body: bytes) -> None:
        try:
            self.body = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Refusal(400, f"the body is no JSON: {error}") from error
        if not isinstance(self.body, dict):
            raise Refusal(400, "the body is no JSON object")
        self.now = time.time_ns()

    def text(self, name: str, default: str = "") -> str:
        value = self.body.get(name, default)
        if not isinstance(value, str):
            raise Refusal(400, f"{name}: a text is needed")
        return value

    def number(self, name: str, default: int, most: int, least: int = 1) -> int:
        value = self.body.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise Refusal(400, f"{name}: a number from {least} to {most} is needed")
        return value

    def flag(self, name: str) -> bool:
        value = self.body.get(name, False)
        if not isinstance(value, bool):
            raise Refusal(400, f"{name}: true or false is needed")
        return value

    def _moment(self, name: str, default: int) -> int:
        written = self.text(name)
        try:
            return moments.nanoseconds(written, self.now) if written else default
        except (ValueError, OverflowError) as error:
            raise Refusal(400, f"{name}: {error}") from error

    def asked(self) -> Asked:
        """Query, filters, scope and time."""
        low, high = self._moment("from", 0), self._moment("to", LAST)
        try:
            tree = parse(self.text("query"), self.now)
        except QueryError as error:
            raise BadQuery(error) from error
        # `namespaces`: only of these, beside the query.
        names = self.body.get("namespaces")
        if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise Refusal(400, "namespaces: a list of names is needed")
        only = [AnyOf(fields.NAMESPACE, tuple(names[: scope.MAX_NAMESPACES]))] if names else []
        return Asked(both(tree, *only, self.scope()), low, max(low, high))

    def scope(self) -> Node:
        try:
            return scope.read(self.body.get("scope")).tree()
        except scope.ScopeError as error:
            raise Refusal(400, str(error)) from error

    def limit(self) -> int:
        return self.number("limit", 100, MAX_LIMIT)

    def after(self) -> Place | None:
        """`after`: [time as text, id], as `next` of the page before."""
        value = self.body.get("after")
        if value is None:
            return None
        if not isinstance(value, list) or len(value) != 2 or not all(isinstance(one, str) for one in value):
            raise Refusal(400, "after: [time, id] of the last line is needed")
        try:
            return Place(moments.nanoseconds(value[0]), value[1])
        except ValueError as error:
            raise Refusal(400, f"after: {error}") from error

    def field(self) -> fields.Field:
        name = self.text("field")
        found = fields.find(name)
        if found is None or found.kind in ("text", "time") or found is fields.ID:
            raise Refusal(400, f"field: {name!r} has no top values: name one such as pod, level or fields.status")
        return found

    def top_limit(self) -> int:
        return self.number("limit", 10, MAX_TOP)

    def interval(self, low: int, high: int) -> int:
        """Milliseconds of a bucket: the least step that gives no more buckets than wanted."""
        wanted = self.number("buckets", 100, MAX_BUCKETS)
        span = max(1, high - low) // 1_000_000
        return next((step for step in STEPS if span / step <= wanted), -(-span // (wanted * STEPS[-1])) * STEPS[-1])

    def container(self) -> tuple[Node, Place]:
        """`around` a line: the same container's lines, and the line's place."""
        line = self.body.get("line")
        if not isinstance(line, dict):
            raise Refusal(400, "line: the document of the line is needed")
        same: list[Node] = []
        kubernetes: Any = line.get("kubernetes")
        if not isinstance(kubernetes, dict):
            kubernetes = {}
        for field in (fields.SOURCE, fields.NAMESPACE, fields.POD, fields.UID, fields.CONTAINER, fields.NODE):
            value: Any = line.get("source") if field is fields.SOURCE else kubernetes.get(field.path.rpartition(".")[2])
            if isinstance(value, str) and value:
                same.append(AnyOf(field, (value,)))
        try:
            at = moments.nanoseconds(str(line.get("@timestamp")))
        except ValueError as error:
            raise Refusal(400, f"line.@timestamp: {error}") from error
        return And((*same, self.scope())), Place(at, str(line.get("_id", "")))
