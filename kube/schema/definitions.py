"""Definitions of the built-in kinds, loaded one at a time from compact files.

The OpenAPI definitions (1.6 MB of JSON, mostly prose) come with `kubernetes-validate`. A process of its own condenses
them once into `$BINNACLE_VAR/cache`: `schema-*.bin` for decoding, `openapi-*.bin` to be published. A server keeps the
offsets and the definitions that it used, not the rest.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import orjson

from kube.schema import condense
from kube.schema.indexed import IndexedFile, cache_folder
from kube.schema.types import Field, ListOf, MapOf, Ref, Scalar, Struct, Type

_lock = threading.RLock()
_types: dict[str, Type] = {}
_file: IndexedFile | None = None


def prepare() -> None:
    """Make the condensed files where they are missing; takes half a second, once per installation."""
    if not all((cache_folder() / name).exists() for name in condense.file_names()):
        done = subprocess.run(
            [sys.executable, "-m", "kube.schema.condense"],
            capture_output=True,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        if done.returncode:
            raise RuntimeError(f"cannot condense the OpenAPI definitions into {cache_folder()}: {done.stderr.strip()}")


def _condensed() -> IndexedFile:
    global _file
    if _file is None:
        with _lock:
            prepare()
            _file = IndexedFile(cache_folder() / condense.file_names()[0])
    return _file


def published() -> IndexedFile:
    """The definitions as OpenAPI v3 schemas (JSON), for documents; not kept by this module."""
    prepare()
    return IndexedFile(cache_folder() / condense.file_names()[1])


def get(name: str) -> Type:
    """The type of a definition; KeyError where there is none."""
    found = _types.get(name)
    if found is None:
        if name not in _condensed():
            raise KeyError(f"no definition {name!r}: is the kind's `definition` spelled as in OpenAPI?")
        found = _types.setdefault(name, _build(name, orjson.loads(_condensed().read(name)[0])))
    return found


def put(name: str, kind: Type) -> None:
    """Add the type of a custom kind, under a name of its own."""
    _types[name] = kind


def drop(name: str) -> None:
    """Forget the type of a custom kind."""
    _types.pop(name, None)


def known(name: str) -> bool:
    return name in _types or name in _condensed()


def resolve(kind: Type) -> Type:
    """The type itself, where it is a reference."""
    return get(kind.name) if isinstance(kind, Ref) else kind


def _build(name: str, doc: Any) -> Type:
    if not isinstance(doc, dict) or "f" not in doc:
        return type_of(doc)
    fields = {
        key: Field(type_of(spec[0]), spec[1], tuple(spec[2]) if len(spec) > 2 else (), spec[3] if len(spec) > 3 else "")
        for key, spec in doc["f"].items()
    }
    return Struct(name, fields, atomic=bool(doc.get("atomic")), key_defaults=doc.get("d", {}))


def type_of(doc: Any) -> Type:
    """A type from its condensed form; see `condense`."""
    if isinstance(doc, str):
        return Scalar(doc)
    if "r" in doc:
        return Ref(doc["r"])
    if "l" in doc:
        return ListOf(type_of(doc["l"]), doc.get("merge", "atomic"), tuple(doc.get("keys", ())))
    return MapOf(type_of(doc["m"]), bool(doc.get("atomic")))
