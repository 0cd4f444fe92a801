"""Definitions of the built-in kinds, loaded one at a time from a compact file.

The OpenAPI definitions (1.6 MB of JSON, mostly prose) come with `kubernetes-validate`. They are condensed once into
`$BINNACLE_VAR/cache/schema-<version>.bin`: a line with the offsets of all definitions, then one JSON document each.
A process keeps the offsets and the definitions that it used, not the rest.
"""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import orjson

from cluster.schema import condense
from cluster.schema.types import Field, ListOf, MapOf, Ref, Scalar, Struct, Type

_lock = threading.RLock()
_index: dict[str, tuple[int, int]] = {}
_types: dict[str, Type] = {}
_path: Path | None = None


def cache_folder() -> Path:
    """Where derived files live: `$BINNACLE_VAR/cache`, or `var/cache` beside the packages."""
    var = os.environ.get("BINNACLE_VAR") or Path(__file__).resolve().parents[2] / "var"
    return Path(var) / "cache"


def write_cached(name: str, content: bytes) -> Path:
    """Put a derived file in place atomically; in a folder of this process where the cache cannot be written."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=name)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="binnacle-cache-"))
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=name)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
    os.replace(temporary, folder / name)
    return folder / name


def _open() -> Path:
    """The condensed file, made when it is missing; fills the index."""
    global _path
    if _path is None:
        path = cache_folder() / f"schema-{condense.fingerprint()}.bin"
        if not path.exists():
            path = write_cached(path.name, condense.build())
        with path.open("rb") as source:
            _index.update({name: tuple(place) for name, place in orjson.loads(source.readline()).items()})
        _path = path
    return _path


def _read(name: str) -> Any:
    path = _open()
    if name not in _index:
        raise KeyError(f"no definition {name!r}: is the kind's `definition` spelled as in OpenAPI?")
    offset, length = _index[name]
    with path.open("rb") as source:
        source.seek(offset)
        return orjson.loads(source.read(length))


def get(name: str) -> Type:
    """The type of a definition; KeyError where there is none."""
    found = _types.get(name)
    if found is None:
        with _lock:
            found = _types.setdefault(name, _build(name, _read(name)))
    return found


def put(name: str, kind: Type) -> None:
    """Add the type of a custom kind, under a name of its own."""
    _types[name] = kind


def drop(name: str) -> None:
    """Forget the type of a custom kind."""
    _types.pop(name, None)


def known(name: str) -> bool:
    with _lock:
        return name in _types or (_open() is not None and name in _index)


def resolve(kind: Type) -> Type:
    """The type itself, where it is a reference."""
    return get(kind.name) if isinstance(kind, Ref) else kind


def _build(name: str, doc: Any) -> Type:
    if not isinstance(doc, dict) or "f" not in doc:
        return type_of(doc)
    fields = {key: Field(type_of(spec[0]), spec[1], tuple(spec[2]) if len(spec) > 2 else (),
                         spec[3] if len(spec) > 3 else "") for key, spec in doc["f"].items()}
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
