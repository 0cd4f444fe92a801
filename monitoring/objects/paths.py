"""Paths into objects, and the numbers and texts that stand at them, as kube-state-metrics reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kube import clock, quantity

Path = Callable[[Any], Any]  # what is there in an object; None: nothing
TRUE, FALSE = ("true", "yes"), ("false", "no", "unknown")


def compiled(steps: Any) -> Path:
    """The path of a list of steps: a key, a place in a list (from its end if negative), or `[key=value]` of an item.

    Raises ValueError.
    """
    if not isinstance(steps, list | tuple | None) or not all(isinstance(step, str | int) for step in steps or ()):
        raise ValueError("a path is a list of texts")
    known = [_step(str(step)) for step in steps or ()]

    def get(obj: Any) -> Any:
        for step in known:
            if obj is None:
                return None
            obj = step(obj)
        return obj

    return get


def _step(text: str) -> Path:
    if text.startswith("[") and text.endswith("]"):
        key, equals, value = text[1:-1].partition("=")
        if not equals:
            raise ValueError(f"invalid list lookup: {text}")
        return lambda found: _item(found, key, value)
    return lambda found: _at(found, text)


def _item(found: Any, key: str, value: str) -> Any:
    """The first object of a list whose field has the value."""
    items = (item for item in found if isinstance(item, dict)) if isinstance(found, list) else ()
    return next((item for item in items if key in item and _same(item[key], value)), None)


def _same(found: Any, text: str) -> bool:
    if isinstance(found, str) and found == text:
        return True
    if isinstance(found, bool) and text in (
        "1",
        "t",
        "T",
        "true",
        "TRUE",
        "True",
        "0",
        "f",
        "F",
        "false",
        "FALSE",
        "False",
    ):
        return found == (text in ("1", "t", "T", "true", "TRUE", "True"))
    try:
        return number(found) == number(text)
    except ValueError:
        return False


def _at(found: Any, step: str) -> Any:
    if isinstance(found, dict):
        key, equals, value = step.partition("=")
        if equals and "=" not in value and found.get(key) == value:
            return value
        return found.get(step)
    if isinstance(found, list) and step.removeprefix("-").removeprefix("+").isdecimal():
        at = int(step)
        return found[at] if -len(found) <= at < len(found) else None
    return None


def number(value: Any) -> float:
    """A number, a truth, a time, a quantity or a percentage as a number. Raises ValueError."""
    if isinstance(value, bool | int | float):
        return +value
    if not isinstance(value, str):
        raise ValueError(f"expected number but was {value}")
    if value.lower() in TRUE:
        return 1
    if value.lower() in FALSE:
        return 0
    for read in (_time, _quantity, _percentage):
        try:
            return read(value)
        except ValueError:
            continue
    return float(value)


def _time(value: str) -> float:
    return int(clock.parse(value)) if "T" in value else float("x")


def _quantity(value: str) -> float:
    found = quantity.parse(value).nano / quantity.NANO
    return int(found) if found == int(found) else found


def _percentage(value: str) -> float:
    if not value.endswith("%") or not value[:-1].isdecimal():
        raise ValueError(f"{value!r} is no percentage")
    return int(value[:-1]) / 100


def text(value: Any) -> str:
    """A value as a label, in the form that Go prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value == int(value) and abs(value) < 1e21:
        return str(int(value))
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{text(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(text, value)) + "]"
    return str(value)
