"""Labels, annotations and JSON fields: objects of any depth, as pairs of a key with dots and a value as text.

Both stores index the same pairs and the same numbers of a document, so that they find the same lines.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from logs.query.fields import Field

MAX_VALUE = 1024  # characters of a key and its value that can be searched for
MAX_PAIRS = 256  # labels, annotations and fields of one document that can be searched for
NUMBER = re.compile(r"[+-]?\d{1,300}(\.\d{1,300})?([eE][+-]?\d{1,3})?")
_PREFIX = {"kubernetes.labels": "l.", "kubernetes.annotations": "a.", "fields": "f."}


def at(found: Mapping[str, Any], path: str) -> Any:
    """The value at a path such as `kubernetes.workload.name`, None where it ends early."""
    value: Any = found
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Keys with dots and values as text, as Elasticsearch flattens an object."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, key)
    elif value is not None and key:
        yield key, value if isinstance(value, str) else orjson.dumps(value).decode()


def pairs(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key with what it belongs to, value) of a document: `("f.status", "200")`, those that can be searched for."""
    count = 0
    kubernetes: Any = found.get("kubernetes") or {}
    for holder, name, prefix in (
        (kubernetes, "labels", "l."),
        (kubernetes, "annotations", "a."),
        (found, "fields", "f."),
    ):
        for key, value in leaves(holder.get(name)) if name in holder else ():
            if count >= MAX_PAIRS or len(key) + len(value) > MAX_VALUE:
                continue
            count += 1
            yield prefix + key, value


def number(key: str, value: str) -> str:
    """What a store indexes of a pair whose value is a number, in the order of numbers for each key; else ""."""
    # Few values end in a digit, and looking costs less than the expression.
    return _tag(key) + sortable(float(value)) if value[-1:].isdigit() and NUMBER.fullmatch(value) else ""


def beginning(field: Field) -> str:
    """What the pairs of this field begin with."""
    return f"{_PREFIX[field.path]}{field.key}="


def tag(field: Field) -> str:
    """What the numbers of this field begin with."""
    return _tag(_PREFIX[field.path] + field.key)


@lru_cache(maxsize=4096)
def _tag(key: str) -> str:
    """Sixteen hexadecimal digits for a key of any characters: none of them means something in a query."""
    return blake2b(key.encode(), digest_size=8).hexdigest()


def sortable(number: float) -> str:
    """Sixteen hexadecimal digits whose order is that of the numbers."""
    bits = int.from_bytes(struct.pack(">d", number + 0.0))  # -0.0 is 0.0
    return f"{bits ^ (0xFFFFFFFFFFFFFFFF if bits >> 63 else 1 << 63):016x}"
