"""Labels of samples: how they are written, and which labels and annotations of objects become some."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

_SPECIAL = re.compile(r'[\\"\n]')
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_NOT_IN_LABELS = re.compile(r"[^a-zA-Z0-9_]")
_HUMP = re.compile(r"([a-z0-9])([A-Z])")
WILDCARD = "*"
Allowed = Mapping[str, Sequence[str]]
"""Patterns of keys by the plural of a kind, `*` for every kind that has none of its own."""


def escape(value: str) -> str:
    return value.translate(_ESCAPES) if _SPECIAL.search(value) else value


def labels(**pairs: str | None) -> str:
    """Labels behind those that name the object: `,reason="Error"`."""
    return "".join([f',{name}="{escape(value or "")}"' for name, value in pairs.items()])


def sanitized(text: str) -> str:
    """A text as it may be in the name of a label."""
    return _NOT_IN_LABELS.sub("_", text)


def of_kind(allowed: Allowed, plural: str) -> Sequence[str]:
    """The patterns for one kind."""
    return allowed.get(plural) or allowed.get(WILDCARD) or ()


def maker(field: str, patterns: Sequence[str]) -> Callable[[Mapping[str, Any]], Iterable[tuple[str, float]]]:
    """Makes one sample with the object's labels or annotations (`field`) whose keys fit a pattern.

    A pattern is a key, one with one `*` in it, or `*` alone, as the first: all.
    """
    prefix = field.removesuffix("s")
    fits = _fits(patterns)

    def make(obj: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
        found = obj["metadata"].get(field) or {}
        return ((written({key: value for key, value in found.items() if fits(key)}, prefix), 1),)

    return make


def _fits(patterns: Sequence[str]) -> Callable[[str], object]:
    if patterns[0] == WILDCARD:
        return lambda key: True
    known = [re.escape(pattern).replace(r"\*", ".*") for pattern in patterns if _is_pattern(pattern)]
    return re.compile("|".join(known) or "(?!)").fullmatch


def _is_pattern(text: str) -> bool:
    return text != WILDCARD and text.count(WILDCARD) <= 1


def _snake(text: str) -> str:
    return _HUMP.sub(r"\1_\2", text).lower()


def written(found: Mapping[str, str], prefix: str) -> str:
    """A map as labels that begin with `prefix`; keys that become one name are numbered."""
    names: dict[str, str] = {}  # name → value
    counts: dict[str, int] = {}

    def free(base: str) -> str:
        while True:
            counts[base] = counts.get(base, 0) + 1
            if (name := f"{base}_conflict{counts[base]}") not in names:
                return name

    for key in sorted(found):
        base = name = f"{prefix}_{_snake(sanitized(key))}"
        if base in counts:
            name = free(base)
        elif base in names:  # the one before gets a number too
            names = {free(base) if other == base else other: value for other, value in names.items()}
            name = free(base)
        names[name] = found[key]
    return labels(**names)
