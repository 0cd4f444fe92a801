"""Text to tree: see the package for the language."""

from __future__ import annotations

import re
from typing import NamedTuple

from logs.query import values
from logs.query.errors import QueryError
from logs.query.fields import MESSAGE, Field, find, nearest
from logs.query.nodes import All, And, Node, Not, Or

MAX_TEXT = 4096  # characters
MAX_DEPTH = 40  # parentheses and negations inside each other
MAX_TERMS = 256
_AND = re.compile(r"AND(?=[\s(\"]|$)|&&")
_OR = re.compile(r"OR(?=[\s(\"]|$)|\|\|")
_NOT = re.compile(r"NOT(?=[\s(\"]|$)|!")
_COMPARE = re.compile(r">=|<=|>|<")
_TO = re.compile(r"\s+TO\s+")


class Raw(NamedTuple):
    """A word as it was typed: `glob` has a backslash before what is literal; `text` is it without wildcards."""

    text: str
    glob: str
    wild: bool
    column: int
    length: int


def parse(text: str, now: int | None = None) -> Node:
    """The tree of a query; an empty one means every line. `now` in nanoseconds, for relative times. Raises QueryError."""
    if len(text) > MAX_TEXT:
        raise QueryError(f"the query has {len(text)} characters: shorten it to {MAX_TEXT}", MAX_TEXT)
    reader = _Reader(text, now)
    reader.space()
    if reader.ended():
        return All()
    tree = reader.either(MESSAGE, 0)
    if not reader.ended():
        raise QueryError("this ) closes nothing: remove it, or open one before", reader.at)
    return tree


class _Reader:
    def __init__(self, text: str, now: int | None) -> None:
        self.text, self.now, self.at, self.terms = text, now, 0, 0

    # -- characters ----------------------------------------------------------------------------------------------------

    def ended(self) -> bool:
        return self.at >= len(self.text)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def space(self) -> None:
        while self.peek().isspace():
            self.at += 1

    def take(self, form: re.Pattern[str]) -> str:
        found = form.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found[0]

    # -- the grammar ---------------------------------------------------------------------------------------------------

    def either(self, field: Field, depth: int) -> Node:
        parts = [self.every(field, depth)]
        while self.take(_OR):
            parts.append(self.every(field, depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def every(self, field: Field, depth: int) -> Node:
        parts = [self.one(field, depth)]
        self.space()
        while not self.ended() and self.peek() != ")" and not _OR.match(self.text, self.at):
            self.take(_AND)
            parts.append(self.one(field, depth))
            self.space()
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def one(self, field: Field, depth: int) -> Node:
        self.space()
        begin = self.at
        if depth > MAX_DEPTH:
            raise QueryError(f"more than {MAX_DEPTH} levels inside each other: write it flatter", begin)
        if self.ended() or self.peek() == ")" or _OR.match(self.text, begin) or _AND.match(self.text, begin):
            raise QueryError("a word is missing here", min(begin, max(0, len(self.text) - 1)))
        if self.take(_NOT) or (self.peek() == "-" and self._next()):
            return Not(self.one(field, depth + 1))
        if self.peek() == "+":
            self._next()
        if self.peek() == "(":
            return self.group(field, depth)
        self.terms += 1
        if self.terms > MAX_TERMS:
            raise QueryError(f"more than {MAX_TERMS} words: ask for less at once", begin)
        return self.term(field, depth)

    def _next(self) -> bool:
        self.at += 1
        return True

    def group(self, field: Field, depth: int) -> Node:
        begin = self.at
        self.at += 1
        inside = self.either(field, depth + 1)
        if self.peek() != ")":
            raise QueryError("this ( is not closed: add )", begin)
        self.at += 1
        return inside

    def term(self, field: Field, depth: int) -> Node:
        if self.peek() == '"':
            return values.phrase(field, self.quoted())
        if field is not MESSAGE:
            return self.value(field, depth)
        name = self.word(stop=":")
        if self.peek() != ":":
            return values.word(field, name)
        found = find(name.glob)
        if found is None:
            raise QueryError(
                f"there is no field {name.text!r}: did you mean {nearest(name.text)}? To search for the text, "
                "put it in quotes",
                name.column,
                name.length,
            )
        self.at += 1
        if self.ended() or self.peek().isspace() or self.peek() == ")":
            raise QueryError(f"a value is missing after {name.text}:", self.at - 1)
        return self.group(found, depth) if self.peek() == "(" else self.value(found, depth)

    def value(self, field: Field, depth: int) -> Node:
        begin = self.at
        if self.peek() == '"':
            return values.phrase(field, self.quoted())
        if self.peek() in "[{":
            return self.between(field)
        if sign := self.take(_COMPARE):
            return values.compared(field, sign, self.bound(), begin, self.now)
        return values.word(field, self.word())

    def between(self, field: Field) -> Node:
        begin = self.at
        opening = self.peek()
        self.at += 1
        self.space()
        low = self.bound("]}")
        if not self.take(_TO):
            raise QueryError("a range is [low TO high]; TO is missing here", self.at)
        high = self.bound("]}")
        self.space()
        closing = self.peek()
        if not closing or closing not in "]}":
            raise QueryError("this range is not closed: add ]", begin)
        self.at += 1
        return values.ranged(field, low, high, opening == "[", closing == "]", self.now)

    def bound(self, stop: str = "") -> Raw:
        raw = self.quoted() if self.peek() == '"' else self.word(stop)
        if not raw.text and raw.glob != "*":
            raise QueryError("a number, level or time is missing here", raw.column)
        return raw

    # -- words ---------------------------------------------------------------------------------------------------------

    def quoted(self) -> Raw:
        begin = self.at
        self.at += 1
        parts = []
        while not self.ended() and self.peek() != '"':
            if self.peek() == "\\" and self.at + 1 < len(self.text):
                self.at += 1
            parts.append(self.peek())
            self.at += 1
        if self.ended():
            raise QueryError('this " is not closed: add "', begin)
        self.at += 1
        text = "".join(parts)
        return Raw(text, values.escaped(text), False, begin, self.at - begin)

    def word(self, stop: str = "") -> Raw:
        begin, text, glob, wild = self.at, "", "", False
        while not self.ended() and not self.peek().isspace() and self.peek() not in '()"' and self.peek() not in stop:
            char = self.peek()
            if char == "\\" and self.at + 1 < len(self.text):
                self.at += 1
                char = self.peek()
                text, glob = text + char, glob + values.escaped(char)
            elif char in "*?":
                glob, wild = glob + char, True
            else:
                text, glob = text + char, glob + values.escaped(char)
            self.at += 1
        return Raw(text, glob, wild, begin, self.at - begin)
