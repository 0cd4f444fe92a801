"""Pod templates: compared without what controllers add, and a short stable hash of one."""

from __future__ import annotations

import copy

import orjson

from kube.objects import Json

HASH_LABEL = "pod-template-hash"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: a hash is never a word


def bare(template: Json) -> Json:
    """The template without the hash label and without empty metadata, so that equal ones compare equal."""
    meta = {name: value for name, value in (template.get("metadata") or {}).items() if value}
    labels = {name: value for name, value in (meta.get("labels") or {}).items() if name != HASH_LABEL}
    if labels:
        meta["labels"] = labels
    else:
        meta.pop("labels", None)
    return {"metadata": meta, "spec": template["spec"]}


def equal(one: Json, other: Json) -> bool:
    """Whether two templates make the same pods."""
    return bare(one) == bare(other)


def hashed(value: Json, collisions: int | None = None) -> str:
    """A hash of a JSON object that is stable over processes and versions; `collisions` tells apart what collided."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    if collisions is not None:
        text += collisions.to_bytes(8, "little")
    return safe(fnv32a(text))


def fnv32a(data: bytes) -> int:
    """The 32-bit FNV-1a hash."""
    result = 0x811C9DC5
    for byte in data:
        result = (result ^ byte) * 0x01000193 & 0xFFFFFFFF
    return result


def safe(number: int) -> str:
    """A number in letters that make no words, eight at least."""
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in f"{number:08d}")


def with_label(template: Json, name: str, value: str) -> Json:
    """A copy of the template with one more label."""
    result = copy.deepcopy(template)
    meta = result.get("metadata") or {}
    result["metadata"] = {**meta, "labels": {**(meta.get("labels") or {}), name: value}}
    return result
