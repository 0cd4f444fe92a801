"""Resource quantities (`100m`, `1Gi`), as exact integers of the unit asked for."""

from __future__ import annotations

import re
from fractions import Fraction

_SUFFIXES = {"": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_PATTERN = re.compile(r"([+-]?[0-9]*\.?[0-9]+|[0-9]+\.)(?:[eE]([+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)")


def parse(text: str | float) -> Fraction:
    """The value; ValueError for what is no quantity."""
    match = _PATTERN.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"{text!r} is not a quantity such as 500m, 2 or 1Gi")
    number, exponent, suffix = match.groups()
    if suffix in _BINARY:
        return Fraction(number) * 2 ** _BINARY[suffix]
    return Fraction(number) * Fraction(10) ** (int(exponent) if exponent else _SUFFIXES[suffix or ""])


def units(text: str | float, divisor: str | float = 1) -> int:
    """The value in whole units of `divisor`, rounded up."""
    value = parse(text) / (parse(divisor) or 1)
    return -(-value.numerator // value.denominator)


def millis(text: str | float) -> int:
    return units(text, "1m")
