"""The functions that Kubernetes adds to the language, for strings, lists, addresses, URLs and quantities."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from kube import quantity


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return bool(parts.scheme and (parts.netloc or parts.path.startswith("/")))


def _try(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def fits(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return fits


def _find(text: str, pattern: str) -> str:
    match = re.search(pattern, text)
    return match[0] if match else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match[0] for match in re.finditer(pattern, text)]
    return found if limit < 0 else found[:limit]


def _index_of(items: Any, item: Any, start: int = 0) -> int:
    if isinstance(items, str):
        return items.find(item, start)
    return next((i for i, other in enumerate(items) if other == item), -1)


def _last_index_of(items: Any, item: Any) -> int:
    if isinstance(items, str):
        return items.rfind(item)
    return next((i for i in range(len(items) - 1, -1, -1) if items[i] == item), -1)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    parts = list(text) if separator == "" else text.split(separator)
    return parts if limit < 0 or len(parts) <= limit else [*parts[: limit - 1], separator.join(parts[limit - 1 :])]


def _substring(text: str, start: int, end: int | None = None) -> str:
    end = len(text) if end is None else end
    if not 0 <= start <= end <= len(text):
        raise ValueError(f"substring({start}, {end}) is out of range of a string of {len(text)}")
    return text[start:end]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "isURL": _is_url,
    "isIP": _try(ipaddress.ip_address),
    "isCIDR": _try(ipaddress.ip_network),
    "isQuantity": _try(quantity.parse),
    "find": _find,
    "findAll": _find_all,
    "split": _split,
    "join": lambda items, separator="": separator.join(items),
    "lowerAscii": lambda text: text.lower(),
    "upperAscii": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "substring": _substring,
    "replace": lambda text, old, new, count=-1: text.replace(old, new, count),
    "charAt": lambda text, index: text[index : index + 1],
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "sum": lambda items: sum(items),
    "min": lambda *items: min(items[0] if len(items) == 1 else items),
    "max": lambda *items: max(items[0] if len(items) == 1 else items),
    "isSorted": lambda items: all(left <= right for left, right in pairwise(items)),
}
