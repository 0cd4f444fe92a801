"""JSONPath as printer columns and selectable fields use it: `.spec.a`, `.items[0]`, `[*]`, `[?(@.type=="Ready")]`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

Step = Callable[[list[Any]], list[Any]]
_TOKEN = re.compile(
    r"""\.(?P<name>(?:\\.|[^.\[\]\s])+) | \[(?P<index>-?\d+)\] | \[(?P<all>\*)\] |
                        \['(?P<quoted>(?:\\.|[^'])*)'\] |
                        \[\?\(\s*@\.(?P<field>[\w.\\-]+)\s*(?:(?P<op>==|!=)\s*(?P<value>"[^"]*"|'[^']*'|[\w.-]+)\s*)?\)\]""",
    re.VERBOSE,
)


@lru_cache(maxsize=1024)
def compile_path(path: str) -> tuple[Step, ...]:
    """The steps of a path. Raises ValueError where it is no path of the supported forms."""
    steps: list[Step] = []
    place = 0
    while place < len(path):
        match = _TOKEN.match(path, place)
        if match is None:
            raise ValueError(f"{path!r}: cannot read the path from {path[place:]!r} on")
        steps.append(_step(match))
        place = match.end()
    return tuple(steps)


def is_path(path: str) -> bool:
    """Whether `path` is of the supported forms."""
    try:
        compile_path(path)
    except ValueError:
        return False
    return True


def find(obj: Any, path: str) -> list[Any]:
    """The values at a path; none where it leads nowhere."""
    found = [obj]
    for step in compile_path(path):
        found = step(found)
    return found


def simple(path: str) -> list[str]:
    """The field names of a path made of names only. Raises ValueError on any other."""
    if not re.fullmatch(r"(\.(\\.|[^.\[\]\s])+)+", path):
        raise ValueError(f"{path!r}: write a path of field names such as .spec.replicas")
    return [_unescape(name) for name in re.findall(r"\.((?:\\.|[^.\[\]\s])+)", path)]


def _unescape(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)


def _step(match: re.Match[str]) -> Step:
    if match["index"] is not None:
        index = int(match["index"])
        return lambda values: [v[index] for v in values if isinstance(v, list) and -len(v) <= index < len(v)]
    if match["field"]:
        return _filter(match["field"], match["op"] or "", (match["value"] or "").strip("\"'"))
    if match["all"] or match["name"] == "*":
        return lambda values: [
            child for v in values if isinstance(v, list | dict) for child in (v if isinstance(v, list) else v.values())
        ]
    name = _unescape(match["name"] or match["quoted"])
    return lambda values: [v[name] for v in values if isinstance(v, dict) and name in v]


def _filter(field: str, op: str, wanted: str) -> Step:
    def keep(item: Any) -> bool:
        found = find(item, "." + field)
        if not op:
            return bool(found)
        text = str(found[0]).lower() if found and isinstance(found[0], bool) else str(found[0]) if found else None
        return (text == wanted) == (op == "==")

    return lambda values: [item for v in values if isinstance(v, list) for item in v if keep(item)]
