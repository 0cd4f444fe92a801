"""The v2 documents of API servers beside this one, merged into its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from apiserver.remotes import Remote
from kube.objects import Json

_PREFIX = "#/definitions/"


def merged(document: bytes, remotes: Sequence[Remote]) -> bytes:
    """The document with the paths of each server's group and version, and the definitions that they need."""
    found = [(remote, doc) for remote in remotes if (doc := _read(remote.known.v2))]
    if not found:
        return document
    whole: Json = orjson.loads(document)
    for remote, doc in found:
        place = f"/apis/{remote.group}/{remote.version}"
        paths = {path: item for path, item in doc["paths"].items() if path == place or path.startswith(place + "/")}
        names = _needed(paths, doc["definitions"])
        # One that is known here by the same name, but is another one, goes by another name.
        new = {name: _free(name, doc["definitions"][name], whole["definitions"]) for name in names}
        whole["paths"] = {path: item for path, item in whole["paths"].items() if not path.startswith(place + "/")}
        whole["paths"].update(_renamed(paths, new))
        whole["definitions"].update({new[name]: _renamed(doc["definitions"][name], new) for name in names})
    return orjson.dumps(whole)


def _read(text: bytes) -> Json | None:
    """A document, None for what is none."""
    try:
        doc = orjson.loads(text)
        sound = isinstance(doc["paths"], dict) and isinstance(doc.setdefault("definitions", {}), dict)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None
    return doc if sound else None


def _needed(value: Any, definitions: Json) -> list[str]:
    """The names of all definitions that a value refers to, directly or through others."""
    found: dict[str, None] = {}
    waiting = _references(value)
    while waiting:
        name = waiting.pop()
        if name not in found and name in definitions:
            found[name] = None
            waiting += _references(definitions[name])
    return sorted(found)


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [name for item in value for name in _references(item)]
    if not isinstance(value, dict):
        return []
    here = value.get("$ref")
    own = [here.removeprefix(_PREFIX)] if isinstance(here, str) and here.startswith(_PREFIX) else []
    return own + [name for item in value.values() for name in _references(item)]


def _free(name: str, definition: Json, known: Json) -> str:
    candidate, number = name, 1
    while candidate in known and known[candidate] != definition:
        number += 1
        candidate = f"{name}_v{number}"
    return candidate


def _renamed(value: Any, new: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(item, new) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: _renamed(item, new) for key, item in value.items()}
    if isinstance(made.get("$ref"), str):
        name = made["$ref"].removeprefix(_PREFIX)
        made["$ref"] = _PREFIX + new.get(name, name)
    return made
