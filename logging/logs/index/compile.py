"""A query's tree as tantivy's query."""

from __future__ import annotations

import re

from tantivy import FieldType, Index, Occur, Query, Schema, TextAnalyzer

from logs.index.schema import COLUMNS
from logs.pairs import beginning, sortable, tag
from logs.query import fields
from logs.query.nodes import All, And, AnyOf, Exists, Glob, Node, Not, Or, Range, Words

_ANY = r"(.|\n)"


class Compiler:
    """For one index; `analyzer` is the one that messages are indexed with."""

    def __init__(self, index: Index, schema: Schema, analyzer: TextAnalyzer) -> None:
        self._index, self._schema, self._analyzer = index, schema, analyzer

    def compile(self, node: Node) -> Query:
        match node:
            case All():
                return Query.all_query()
            case And(parts):
                wanted = [(Occur.Must, self.compile(part)) for part in parts if not isinstance(part, Not)]
                unwanted = [(Occur.MustNot, self.compile(part.part)) for part in parts if isinstance(part, Not)]
                return Query.boolean_query([*(wanted or [(Occur.Must, Query.all_query())]), *unwanted])
            case Or(parts):
                return (
                    Query.boolean_query([(Occur.Should, self.compile(part)) for part in parts])
                    if parts
                    else Query.empty_query()
                )
            case Not(part):
                return Query.boolean_query([(Occur.Must, Query.all_query()), (Occur.MustNot, self.compile(part))])
            case Words(text):
                words = self._analyzer.analyze(text)
                if len(words) > 1:
                    return Query.phrase_query(self._schema, "message", list(words))
                return Query.term_query(self._schema, "message", words[0]) if words else Query.empty_query()
            case AnyOf(field, values):
                return self._any_of(field, values)
            case Glob(field, pattern):
                if field.kind == "pair":
                    return self._regex("pairs", literal(beginning(field)) + regex(pattern))
                return self._regex("message" if field.kind == "text" else _column(field), regex(pattern))
            case Exists(field):
                if field.kind == "pair":
                    return self._regex("pairs", literal(beginning(field)) + f"{_ANY}*")
                if field in COLUMNS:
                    return Query.exists_query(COLUMNS[field])
                # What every document has; a message without a word counts as none.
                return self._regex("message", f"{_ANY}+") if field.kind == "text" else Query.all_query()
            case Range():
                return self._range(node)

    def _any_of(self, field: fields.Field, values: tuple[str, ...]) -> Query:
        if field.kind == "pair":
            return Query.term_set_query(self._schema, "pairs", [beginning(field) + value for value in values])
        name = _column(field)
        if len(values) == 1:
            return Query.term_query(self._schema, name, values[0])
        return Query.term_set_query(self._schema, name, list(values)) if values else Query.empty_query()

    def _range(self, node: Range) -> Query:
        if node.field is fields.TIME:
            return Query.range_query(
                self._schema,
                "time",
                FieldType.Integer,
                _integer(node.low),
                _integer(node.high),
                node.with_low,
                node.with_high,
            )
        # A field may have several numbers, and one inside is enough: a bound that does not count moves to its neighbour.
        low = _step(sortable(float("-inf") if node.low is None else node.low), 0 if node.with_low else 1)
        high = _step(sortable(float("inf") if node.high is None else node.high), 0 if node.with_high else -1)
        if low > high:
            return Query.empty_query()
        # Only its parser makes ranges of texts, which are looked up in the column.
        of = tag(node.field)
        return self._index.parse_query(f"numbers:[{of}{low} TO {of}{high}]", ["numbers"])

    def _regex(self, name: str, pattern: str) -> Query:
        return Query.regex_query(self._schema, name, pattern)


def _column(field: fields.Field) -> str:
    return "id" if field is fields.ID else COLUMNS[field]


def _integer(bound: float | None) -> int | None:
    return None if bound is None else max(-(1 << 63), min((1 << 63) - 1, int(bound)))


def _step(digits: str, by: int) -> str:
    return f"{int(digits, 16) + by:016x}"


def literal(text: str) -> str:
    """As a part of a regular expression."""
    return re.sub(r"([\\.+*?()|\[\]{}^$#&\-~/])", r"\\\1", text)


def regex(glob: str) -> str:
    """A glob as a regular expression for whole terms."""
    parts, escape = [], False
    for char in glob:
        if escape:
            parts.append(literal(char))
        elif char in "*?":
            parts.append(_ANY + ("*" if char == "*" else ""))
        elif char != "\\":
            parts.append(literal(char))
        escape = char == "\\" and not escape
    return "".join(parts)
