"""What a query is once it is read. Every value is as it is in the stores: levels in their one spelling, times as integers."""

from __future__ import annotations

from dataclasses import dataclass

from logs.query.fields import Field


@dataclass(frozen=True, slots=True)
class All:
    """Every line."""


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Of no parts: no line."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Node


@dataclass(frozen=True, slots=True)
class Words:
    """The words of `text`, one after the other, in the message."""

    text: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The field has one of these values."""

    field: Field
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Glob:
    """The field's whole value, or one word of the message, fits: `*` any characters, `?` one, a backslash: as it is."""

    field: Field
    pattern: str


@dataclass(frozen=True, slots=True)
class Exists:
    field: Field


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers of a `fields.…`, or nanoseconds since 1970 of the time; None: no bound."""

    field: Field
    low: float | None
    high: float | None
    with_low: bool = True
    with_high: bool = True


Node = All | And | Or | Not | Words | AnyOf | Glob | Exists | Range


def both(*parts: Node) -> Node:
    """All of them; what says nothing is left out."""
    said = tuple(part for part in parts if not isinstance(part, All))
    return said[0] if len(said) == 1 else And(said) if said else All()
