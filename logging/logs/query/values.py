"""What a word means for the field it stands at."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from logs.pairs import NUMBER
from logs.query import moments
from logs.query.errors import QueryError
from logs.query.fields import ID, LEVEL, WORKLOAD, WORKLOAD_KIND, Field
from logs.query.nodes import And, AnyOf, Exists, Glob, Node, Or, Range, Words
from logs.record import LEVELS

if TYPE_CHECKING:
    from logs.query.parser import Raw

_SPELLINGS = {
    "warning": "warn",
    "err": "error",
    "critical": "fatal",
    "crit": "fatal",
    "panic": "fatal",
    "information": "info",
    "notice": "info",
    "dbg": "debug",
}
# Between these a message is cut into words; what joins letters or digits inside a word is not among them.
_BETWEEN = re.compile(r"[^\w.,:;'’*?\\]")


def escaped(text: str) -> str:
    """As a literal part of a glob."""
    return re.sub(r"([*?\\])", r"\\\1", text)


def phrase(field: Field, raw: Raw) -> Node:
    """The whole value, or words that follow each other in a message."""
    if field.kind == "text":
        if not re.search(r"\w", raw.text):
            raise QueryError(
                f"no word in {raw.text!r}: only letters, digits and _ are searched for", raw.column, raw.length
            )
        return Words(raw.text)
    if field.kind == "time":
        raise QueryError(
            "a time is compared: write time:>=2026-11-21T06:00:00Z, or [from TO until]", raw.column, raw.length
        )
    if field.kind == "level":
        return AnyOf(field, (_level(raw),))
    if field is WORKLOAD and "/" in raw.text:
        kind, _, name = raw.text.partition("/")
        return And((AnyOf(WORKLOAD_KIND, (kind,)), AnyOf(WORKLOAD, (name,))))
    return AnyOf(field, (raw.text,))


def word(field: Field, raw: Raw) -> Node:
    if raw.glob == "*":
        return Exists(field)
    if not raw.wild:
        return phrase(field, raw)
    if field.kind in ("level", "time"):
        raise QueryError(f"no wildcards in a {field.kind}: compare with >= or <=", raw.column, raw.length)
    if field is ID:
        raise QueryError("no wildcards in an id: write it whole", raw.column, raw.length)
    if field.kind == "text" and (gap := _BETWEEN.search(raw.glob)):
        raise QueryError(
            f"a wildcard is for one word, and {gap[0]!r} ends a word: search for the words before and after it apart",
            raw.column,
            raw.length,
        )
    return Glob(field, raw.glob.lower() if field.kind == "text" else raw.glob)


def _level(raw: Raw) -> str:
    level = _SPELLINGS.get(raw.text.lower(), raw.text.lower())
    if level not in LEVELS:
        raise QueryError(f"there is no level {raw.text!r}: write one of {', '.join(LEVELS)}", raw.column, raw.length)
    return level


def compared(field: Field, sign: str, raw: Raw, column: int, now: int | None) -> Node:
    """`field:>=value`."""
    if raw.glob == "*":
        raise QueryError(f"{sign} needs a number, a level or a time", column, len(sign) + raw.length)
    edge = sign.endswith("=")
    if sign[0] == ">":
        return _range(field, raw, None, edge, True, now)
    return _range(field, None, raw, True, edge, now)


def ranged(field: Field, low: Raw, high: Raw, with_low: bool, with_high: bool, now: int | None) -> Node:
    """`field:[low TO high]`; a bound that is * is none."""
    node = _range(field, low if low.glob != "*" else None, high if high.glob != "*" else None, with_low, with_high, now)
    return Exists(field) if isinstance(node, Range) and node.low is None and node.high is None else node


def _range(field: Field, low: Raw | None, high: Raw | None, with_low: bool, with_high: bool, now: int | None) -> Node:
    if field.kind == "level":
        first = LEVELS.index(_level(low)) + (not with_low) if low else 0
        last = LEVELS.index(_level(high)) - (not with_high) if high else len(LEVELS) - 1
        chosen = LEVELS[first : last + 1]
        return AnyOf(LEVEL, chosen) if chosen else Or(())
    if field.kind not in ("time", "pair"):
        raw = low or high
        raise QueryError(
            "only level, time and the numbers in fields.… and labels.… have an order",
            raw.column if raw else 0,
            raw.length if raw else 1,
        )
    return Range(field, _bound(field, low, now), _bound(field, high, now), with_low, with_high)


def _bound(field: Field, raw: Raw | None, now: int | None) -> float | None:
    if raw is None:
        return None
    if field.kind == "time":
        try:
            return moments.nanoseconds(raw.text, now)
        except ValueError as error:
            raise QueryError(str(error), raw.column, raw.length) from error
    if not NUMBER.fullmatch(raw.text):
        raise QueryError(f"{raw.text!r} is no number, and only numbers have an order here", raw.column, raw.length)
    return float(raw.text)
