"""Resource quantities (`100m`, `1.5Gi`, `2e3`) as exact integers, and back in canonical form.

A quantity is kept in nano units, which is as fine as Kubernetes goes (finer input is rounded up). The notation it was
written in (binary, decimal or exponent suffixes) is remembered, because sums are shown in the notation of their parts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

NANO = 10**9
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_SUFFIX = {power: suffix for suffix, power in _DECIMAL.items()}
_PATTERN = re.compile(r"([+-]?)([0-9]+\.?[0-9]*|\.[0-9]+)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?[0-9]{1,3}|)")
LIMIT = (2**63 - 1) * NANO


@dataclass(frozen=True, slots=True)
class Quantity:
    """`nano` units; `notation` is one of `DecimalSI`, `BinarySI`, `DecimalExponent`."""

    nano: int
    notation: str = "DecimalSI"

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.nano + other.nano, self.notation if self.nano else other.notation)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.nano - other.nano, self.notation if self.nano else other.notation)

    def __lt__(self, other: Quantity) -> bool:
        return self.nano < other.nano

    def __le__(self, other: Quantity) -> bool:
        return self.nano <= other.nano

    def __str__(self) -> str:
        if self.nano == 0:
            return "0"
        if self.notation == "BinarySI" and abs(self.nano) >= 1024 * NANO and self.nano % NANO == 0:
            value, suffix = self.nano // NANO, ""
            for name in _BINARY:
                if value % 1024:
                    break
                value, suffix = value // 1024, name
            return f"{value}{suffix}"
        value, power = self.nano, -9
        while value % 1000 == 0 and power < 18:
            value, power = value // 1000, power + 3
        if self.notation == "DecimalExponent":
            return f"{value}e{power}" if power else str(value)
        return f"{value}{_SUFFIX[power]}"


def _scaled(number: int, power: int) -> int:
    """`number * 10**power` rounded away from zero to a whole number."""
    factor: int = 10 ** abs(power)
    if power >= 0:
        return number * factor
    up = -(-abs(number) // factor)
    return up if number > 0 else -up


@lru_cache(maxsize=16384)
def _parse(text: str) -> Quantity:
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a quantity: write a number with an optional suffix such as m, k, Mi or e3")
    sign, digits, suffix = match.groups()
    whole, _, fraction = digits.partition(".")
    number, power = int(sign + whole + fraction), 9 - len(fraction)
    if suffix in _BINARY:
        nano, notation = _scaled(number * _BINARY[suffix], power), "BinarySI"
    elif suffix in _DECIMAL:
        nano, notation = _scaled(number, power + _DECIMAL[suffix]), "DecimalSI"
    else:
        nano, notation = _scaled(number, power + int(suffix[1:])), "DecimalExponent"
    return Quantity(max(-LIMIT, min(LIMIT, nano)), notation)


def parse(value: Any) -> Quantity:
    """The quantity a JSON string or number says; raises ValueError where it says none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is not a quantity: write a string such as 100m or 2Gi")
    return _parse(value if isinstance(value, str) else repr(value))


def milli(value: Any) -> int:
    """Thousandths, rounded up: `milli("0.5") == 500`."""
    return -(-parse(value).nano // 10**6)


def units(value: Any, divisor: Any = 1) -> int:
    """Whole units of `divisor` (0 stands for 1), rounded up: `units("1Ki") == 1024`, `units("1Gi", "1Mi") == 1024`."""
    return -(-parse(value).nano // (parse(divisor).nano or NANO))


def of_units(value: int, notation: str = "DecimalSI") -> Quantity:
    return Quantity(value * NANO, notation)


def canonical(value: Any) -> str:
    """A quantity as the API writes it back: `canonical("1000m") == "1"`."""
    return str(parse(value))


def share(value: int | str | None, of: int, up: bool = True) -> int:
    """A number as it is (absent: 0), or a percentage (`25%`) of a number, rounded up or down."""
    if not isinstance(value, str):
        return value or 0
    hundredths = int(value.rstrip("%")) * of
    return -(-hundredths // 100) if up else hundredths // 100
