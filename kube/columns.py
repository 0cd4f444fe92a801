"""Cells of printer columns that several kinds share: ages, label maps, lists of containers and ports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kube import clock
from kube.objects import Json
from kube.registry import Column

NONE = "<none>"
UNKNOWN = "<unknown>"
UNSET = "<unset>"

NAME = Column("Name", "string", "name", "The object's name, unique within its namespace for this kind.")
AGE = Column("Age", "string", "", "Time since the server created the object.")


def column(name: str, type: str = "string", description: str = "", wide: bool = False) -> Column:
    """A column; a wide one shows with `-o wide` only."""
    return Column(name, type, "", description, 1 if wide else 0)


def since(stamp: str | None, now: float) -> str:
    """How long ago a time was (`5m3s`), `<unknown>` without one."""
    if not stamp:
        return UNKNOWN
    return clock.human(now - clock.parse(stamp))


def age(obj: Json, now: float) -> str:
    """The age of an object."""
    return since(obj["metadata"].get("creationTimestamp"), now)


def labels(pairs: Mapping[str, str] | None) -> str:
    """`a=b,c=d` in order of keys, `<none>` if empty."""
    return ",".join(f"{key}={pairs[key]}" for key in sorted(pairs)) if pairs else NONE


def selector(value: Mapping[str, Any] | None) -> str:
    """A `metav1.LabelSelector` as text: `a=b,c in (d,e),!f`; `<none>` if absent or empty."""
    if not value:
        return NONE
    terms = [(key, f"{key}={text}") for key, text in (value.get("matchLabels") or {}).items()]
    for expression in value.get("matchExpressions") or ():
        key, operator = expression.get("key", ""), expression.get("operator")
        if operator in ("Exists", "DoesNotExist"):
            terms.append((key, key if operator == "Exists" else f"!{key}"))
        else:
            values = ",".join(sorted(expression.get("values") or ()))
            terms.append((key, f"{key} {'in' if operator == 'In' else 'notin'} ({values})"))
    return ",".join(text for _, text in sorted(terms, key=lambda term: term[0])) or NONE


def names(items: Iterable[Json] | None) -> str:
    """The names of containers, joined by commas."""
    return ",".join(item.get("name", "") for item in items or ())


def images(items: Iterable[Json] | None) -> str:
    """The images of containers, joined by commas."""
    return ",".join(item.get("image", "") for item in items or ())


def containers(template: Json | None) -> list[str]:
    """The two cells Containers and Images of a pod template."""
    items = ((template or {}).get("spec") or {}).get("containers")
    return [names(items), images(items)]


def first_of(items: list[str], limit: int) -> str:
    """Up to `limit` items joined by commas, and how many more there are; `<none>` if there is none."""
    if not items:
        return NONE
    more = f" + {len(items) - limit} more..." if len(items) > limit else ""
    return ",".join(items[:limit]) + more


def or_none(value: Any) -> Any:
    """The value, `<none>` where it is absent or empty."""
    return value if value else NONE
