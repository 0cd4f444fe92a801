"""Decoded objects of the API without their credentials, in place.

A masked value keeps its size, so that one sees that it is there and that it changed length: `•••••• (24 bytes)`.
References to secrets (`secretName`, `secretKeyRef`, `$(DB_PASSWORD)`) are not credentials.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import parse_qsl, urlencode

from kube.objectmeta import LAST_APPLIED
from kube.objects import Json
from kube.redact import commands
from kube.redact.names import BULLETS, is_credential_name, is_list_of_credentials, mask
from kube.redact.text import clean, is_pair, is_reference

DEEPEST = 40  # levels that are looked into; what lies below is not shown


def redact(storage: str, obj: Json) -> Json:
    """Mask the credentials of one decoded object of a kind in place; returns the same object."""
    if storage == "secrets":
        data = obj.get("data")
        if isinstance(data, dict):
            obj["data"] = {key: mask(_decoded_size(value)) for key, value in data.items()}
        text = obj.pop("stringData", None)
        if isinstance(text, dict):
            obj.setdefault("data", {}).update({key: mask(len(str(value).encode())) for key, value in text.items()})
    annotations = obj.get("metadata", {}).get("annotations")
    if isinstance(annotations, dict) and LAST_APPLIED in annotations:
        annotations[LAST_APPLIED] = mask(len(str(annotations[LAST_APPLIED])))
    binary = obj.get("binaryData")
    if isinstance(binary, dict):
        obj["binaryData"] = {key: _binary(value) for key, value in binary.items()}
    _mapping(obj, 0)
    return obj


def redact_value(name: str, value: str) -> str:
    """One value as it may be shown, of a field or variable of that name."""
    if is_credential_name(name) or (name in ("auth", "_auth") and is_pair(value)):
        return _masked(value)
    return clean(value)


def redact_uri(uri: str) -> str:
    """The address of a request: what it says by name, and the command of `exec`, a parameter a word."""
    path, mark, query = uri.partition("?")
    parts = parse_qsl(query, keep_blank_values=True)
    words = [value for name, value in parts if name == "command"]
    shown = list(words)
    _list(shown, 0, False)
    masked = iter(shown)
    if shown == words:
        return clean(uri)
    return (
        clean(path)
        + mark
        + urlencode([(name, next(masked) if name == "command" else clean(value)) for name, value in parts])
    )


def _decoded_size(value: Any) -> int:
    try:
        return len(base64.b64decode(value, validate=True))
    except (binascii.Error, TypeError, ValueError):
        return len(str(value))


def _binary(value: Any) -> Any:
    """Text that holds a credential, in base64, is not shown at all."""
    try:
        text = base64.b64decode(value).decode()
    except (binascii.Error, TypeError, ValueError):
        return value
    return value if clean(text) == text else mask(len(text.encode()))


def _mapping(found: Json, depth: int) -> None:
    _command(found)
    name = found.get("name", found.get("key"))
    named = isinstance(name, str) and is_credential_name(name)
    for key, value in found.items():
        if isinstance(value, str):
            found[key] = _masked(value) if named and key == "value" else redact_value(key, value)
        elif isinstance(value, dict | list):
            found[key] = _below(value, depth, is_list_of_credentials(key))


def _below(value: Any, depth: int, named: bool = False) -> Any:
    """A list or mapping within an object, as it may be shown. `named`: after what a list of credentials is called."""
    if depth >= DEEPEST:
        return f"{BULLETS} (nested more than {DEEPEST} levels deep)"
    if isinstance(value, dict):
        _mapping(value, depth + 1)
    else:
        _list(value, depth + 1, named)
    return value


def _list(found: list[Any], depth: int, named: bool) -> None:
    _words(found)
    follows = False  # a flag whose value is the next word
    for i, item in enumerate(found):
        if isinstance(item, str):
            found[i] = _masked(item) if named or follows else clean(item)
            follows = item.startswith("-") and "=" not in item and is_credential_name(item.lstrip("-"))
        elif isinstance(item, dict | list):
            found[i] = _below(item, depth)
            follows = False


def _masked(value: str) -> str:
    return value if not value or value.startswith(BULLETS) or is_reference(value) else mask(len(value.encode()))


def _command(container: Json) -> None:
    """A container's command and arguments are one command line."""
    parts = [container[key] for key in ("command", "args") if _is_words(container.get(key))]
    if len(parts) == 2:
        first, second = parts
        words = commands.clean_words([*first, *second])
        first[:], second[:] = words[: len(first)], words[len(first) :]


def _words(found: list[Any]) -> None:
    if _is_words(found):
        found[:] = commands.clean_words(found)


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)
