"""Label and field selectors: text and objects to predicates.

`parse_labels("app in (a, b), !old")`, `from_object({"matchLabels": {…}})`, `parse_fields("metadata.name=x")`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kube.errors import BadRequest

Labels = Mapping[str, str]

_TOKEN = re.compile(r"\s*(?:(==|!=|=|!|,|\(|\)|<|>)|([^\s=!,()<>]+))")
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]").fullmatch
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*").fullmatch
_INTEGER = re.compile(r"[+-]?[0-9]{1,30}").fullmatch
_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}
_NODE_OPERATORS = {**_OPERATORS, "Gt": "gt", "Lt": "lt"}
_SIGNS = "in, notin, =, ==, !=, gt, lt"
_NAME_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label. `operator`: in, notin, exists, absent, gt, lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, written: Mapping[str, Any], of_nodes: bool = False) -> Requirement:
        """One of `matchExpressions` of a label selector or, `of_nodes`, a node selector. ValueError: a bad operator."""
        operator = (_NODE_OPERATORS if of_nodes else _OPERATORS).get(written.get("operator", ""))
        if operator is None:
            raise ValueError(f"{written.get('operator')!r} is not a valid label selector operator")
        return cls(written["key"], operator, tuple(written.get("values") or ()))

    def matches(self, labels: Labels) -> bool:
        return self.accepts(labels.get(self.key))

    def accepts(self, value: str | None) -> bool:
        """Whether the label may have this value; None: that it is not there."""
        if self.operator == "in":
            return value is not None and value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "absent":
            return value is None
        number, bound = integer(value), integer(self.values[0] if self.values else None)
        if number is None or bound is None:
            return False
        return number > bound if self.operator == "gt" else number < bound

    def __str__(self) -> str:
        joined = ",".join(sorted(self.values))
        if self.operator in ("in", "notin"):
            if self.operator == "in" and len(self.values) == 1:
                return f"{self.key}={joined}"
            return f"{self.key} {self.operator} ({joined})"
        signs = {
            "exists": self.key,
            "absent": f"!{self.key}",
            "gt": f"{self.key}>{joined}",
            "lt": f"{self.key}<{joined}",
        }
        return signs[self.operator]


def integer(text: str | None) -> int | None:
    """The number that `gt` and `lt` compare: decimal, 64 bits, nothing around it; None for any other text."""
    if text is None or not _INTEGER(text):
        return None
    number = int(text)
    return number if -(1 << 63) <= number < 1 << 63 else None


@dataclass(frozen=True, slots=True)
class Selector:
    """All of its requirements must hold; none at all selects everything, unless `nothing`."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Labels) -> bool:
        return not self.nothing and all(r.matches(labels) for r in self.requirements)

    @property
    def empty(self) -> bool:
        return not self.requirements and not self.nothing

    def __str__(self) -> str:
        return ",".join(str(r) for r in self.requirements)


EVERYTHING, NOTHING = Selector(), Selector(nothing=True)


@lru_cache(maxsize=1024)
def parse_labels(text: str) -> Selector:
    """A selector as in `?labelSelector=`; raises BadRequest with what was found and what was expected."""
    parser = _Parser(text)
    return Selector(tuple(sorted(parser.requirements(), key=lambda r: r.key)))


class _Parser:
    """Reads requirements token by token; None stands for the end of the text."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = [m[1] or m[2] for m in _TOKEN.finditer(text)]
        self.at = 0

    def peek(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def next(self) -> str | None:
        token = self.peek()
        self.at += 1
        return token

    def requirements(self) -> Iterator[Requirement]:
        while (token := self.peek()) is not None:
            if not (token == "!" or _is_word(token)):
                raise BadRequest(f"found '{token}', expected: !, identifier, or 'end of string'")
            yield self.requirement()
            token = self.next()
            if token is None:
                return
            if token != ",":
                raise BadRequest(f"found '{token}', expected: ',' or 'end of string'")
            if (after := self.peek()) is None or not (after == "!" or _is_word(after)):
                raise BadRequest(f"found '{after or ''}', expected: identifier after ','")

    def requirement(self) -> Requirement:
        negated = self.peek() == "!"
        if negated:
            self.next()
        key = self.word("identifier")
        prefix, slash, name = key.rpartition("/")
        if slash and not (_SUBDOMAIN(prefix) and len(prefix) <= 253):
            raise _unparsable(f'<nil>: Invalid value: "{key}": prefix part must be a DNS subdomain')
        if not _NAME(name) or len(name) > 63:
            raise _unparsable(f'<nil>: Invalid value: "{key}": {_NAME_RULE}')
        if negated:
            return Requirement(key, "absent")
        operator = self.peek()
        if operator in (None, ","):
            return Requirement(key, "exists")
        self.next()
        if operator in ("in", "notin"):
            return Requirement(key, operator, _checked(key, self.values()))
        if operator in ("=", "==", "!="):
            return Requirement(key, "notin" if operator == "!=" else "in", _checked(key, (self.value(),)))
        if operator in ("<", ">"):
            value = self.value()
            if integer(value) is None:
                message = "for 'Gt', 'Lt' operators, the value must be an integer"
                raise _unparsable(f'values[0]: Invalid value: "{value}": {message}')
            return Requirement(key, "gt" if operator == ">" else "lt", (value,))
        raise _unparsable(f"found '{operator}', expected: {_SIGNS}")

    def word(self, expected: str) -> str:
        token = self.next()
        if token is None or not _is_word(token):
            raise _unparsable(f"found '{token or ''}', expected: {expected}")
        return token

    def value(self) -> str:
        """The value of an equality; empty before a comma or the end."""
        token = self.peek()
        if token is None or token == ",":
            return ""
        return self.word("identifier")

    def values(self) -> tuple[str, ...]:
        token = self.next()
        if token != "(":
            raise _unparsable(f"found '{token or ''}' expected: '('")
        found: list[str] = []
        while True:
            token = self.next()
            if token == ")":
                return tuple(found) if found else ("",)
            if token is None or not (_is_word(token) or token == ","):
                raise _unparsable(f"found '{token or ''}', expected: ',', ')' or identifier")
            if token == ",":
                found.append("")
                continue
            found.append(token)
            token = self.next()
            if token == ")":
                return tuple(found)
            if token != ",":
                raise _unparsable(f"found '{token or ''}', expected: ',' or ')'")


def _is_word(token: str) -> bool:
    return token not in ("=", "==", "!=", "!", ",", "(", ")", "<", ">")


def _unparsable(message: str) -> BadRequest:
    return BadRequest(f"unable to parse requirement: {message}")


def _checked(key: str, values: Sequence[str]) -> tuple[str, ...]:
    for i, value in enumerate(values):
        if len(value) > 63:
            raise _unparsable(f'values[{i}][{key}]: Invalid value: "{value}": must be no more than 63 bytes')
        if value and not _NAME(value):
            raise _unparsable(
                f'values[{i}][{key}]: Invalid value: "{value}": a valid label must be an empty string or '
                "consist of alphanumeric characters, '-', '_' or '.'"
            )
    return tuple(values)


def from_object(selector: Mapping[str, Any] | None) -> Selector:
    """A `metav1.LabelSelector`: absent selects nothing, an empty one everything. Raises ValueError on a bad operator."""
    if selector is None:
        return NOTHING
    found = [Requirement(key, "in", (value,)) for key, value in sorted((selector.get("matchLabels") or {}).items())]
    found += [Requirement.of(expression) for expression in selector.get("matchExpressions") or ()]
    return Selector(tuple(found))


def from_map(selector: Mapping[str, str] | None) -> Selector:
    """A plain map, as of a Service or a ReplicationController: an empty one selects nothing."""
    if not selector:
        return NOTHING
    return Selector(tuple(Requirement(key, "in", (value,)) for key, value in sorted(selector.items())))


def parse_fields(text: str) -> list[tuple[str, str, bool]]:
    """A selector as in `?fieldSelector=`: (field, value, whether it must be equal). Raises BadRequest."""
    found = []
    for part in re.split(r"(?<!\\),", text):
        if not part:
            continue
        match = re.fullmatch(r"(.*?)(!=|==|=)(.*)", part, re.DOTALL)
        if match is None:
            raise BadRequest(f"invalid selector: '{text}'; can't understand '{part}'")
        found.append((match[1], re.sub(r"\\([\\,=])", r"\1", match[3]), match[2] != "!="))
    return found


def field(*path: str) -> Callable[[dict[str, Any]], str]:
    """What a field selector compares: the text at a path, empty where it is absent; booleans as `true` and `false`."""

    def read(obj: dict[str, Any]) -> str:
        value: Any = obj
        for name in path:
            value = value.get(name) if value else None
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else str(value)

    return read
