"""What was worked out for a JSON value once, for the next one like it: replicas differ in their metadata only."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Generic, TypeVar

import orjson

T = TypeVar("T")

LARGEST = 16 * 1024  # bytes of JSON: what is larger is rarely met again, and its result may be as large


def digest(value: Any) -> bytes | None:
    """16 bytes, the same for values with the same JSON; None for large ones, which are not worth remembering."""
    text = orjson.dumps(value)
    return blake2b(text, digest_size=16).digest() if len(text) <= LARGEST else None


class Memo(dict[Any, T], Generic[T]):
    """Results by digest, at most `size` of them: then it forgets all of them."""

    def __init__(self, size: int = 4096) -> None:
        super().__init__()
        self._size = size

    def __setitem__(self, key: Any, result: T) -> None:
        if len(self) >= self._size:
            self.clear()
        super().__setitem__(key, result)
