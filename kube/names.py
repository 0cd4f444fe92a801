"""Names that are made up: `generateName` with a random suffix, or one that follows from a content."""

from __future__ import annotations

import random
import zlib

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, no look-alikes
_SUFFIX = 5
_MAX_PREFIX = 63 - _SUFFIX


def generated(prefix: str) -> str:
    """A random name that begins with `prefix`."""
    return prefix[:_MAX_PREFIX] + "".join(random.choices(_ALPHABET, k=_SUFFIX))  # to be different, not to be secret


def derived(prefix: str, content: bytes) -> str:
    """A name that looks like a generated one, always the same for the same content."""
    number, suffix = zlib.crc32(content), ""
    for _ in range(_SUFFIX):
        number, place = divmod(number, len(_ALPHABET))
        suffix += _ALPHABET[place]
    return prefix[:_MAX_PREFIX] + suffix
