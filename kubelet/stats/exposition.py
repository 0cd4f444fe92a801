"""Prometheus' text format, version 0.0.4."""

from __future__ import annotations

from collections.abc import Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class Page:
    """Families in the order of their first sample; each sample is added to its family by name."""

    def __init__(self) -> None:
        self._families: dict[str, list[str]] = {}

    def declare(self, name: str, kind: str, text: str) -> None:
        """`kind`: counter or gauge.  Needed before the first sample; families without samples are left out."""
        self._families[name] = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]

    def add(self, name: str, value: float, labels: Mapping[str, str] | str = "", at: float | None = None) -> None:
        """`labels` may be rendered before (see `pairs`); `at`: seconds since the epoch, when the value was measured."""
        text = labels if isinstance(labels, str) else pairs(labels)
        stamp = f" {int(at * 1000)}" if at is not None else ""
        shown = f"{{{text}}}" if text else ""
        self._families[name].append(f"{name}{shown} {_number(value)}{stamp}")

    def text(self) -> str:
        lines = [line for family in self._families.values() if len(family) > 2 for line in family]
        return "\n".join([*lines, ""])


def pairs(labels: Mapping[str, str]) -> str:
    """Labels as they stand between the braces: worth keeping where many samples have them."""
    return ",".join(f'{key}="{text.translate(_ESCAPES)}"' for key, text in labels.items())


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 9))
