"""Files of many JSON documents of which a process needs few: a line with all offsets, then the documents."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import orjson

import environment


def cache_folder() -> Path:
    """Where derived files live: `cache` in the state folder."""
    return environment.VAR.get() / "cache"


def write_cached(name: str, content: bytes) -> Path:
    """Put a derived file into the cache atomically. Raises OSError where the folder cannot be written."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=name)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
    os.replace(temporary, folder / name)
    return folder / name


def pack(documents: dict[str, bytes]) -> bytes:
    """The file's content: {name: [offset, length]} as a padded line, then the documents."""
    room = sum(len(name) + 24 for name in documents) + 16
    offset, index = room + 1, {}
    for name, document in documents.items():
        index[name] = (offset, len(document))
        offset += len(document)
    return orjson.dumps(index).ljust(room) + b"\n" + b"".join(documents.values())


class IndexedFile:
    """Reads single documents; holds the offsets only. The file stays open, so that it may be deleted meanwhile."""

    def __init__(self, path: Path) -> None:
        self._source = path.open("rb")
        self._index: dict[str, list[int]] = orjson.loads(self._source.readline())

    def __contains__(self, name: str) -> bool:
        return name in self._index

    def names(self) -> list[str]:
        return list(self._index)

    def read(self, *names: str) -> list[bytes]:
        """The documents of these names, in their order; KeyError for a name that is not there."""
        descriptor, places = self._source.fileno(), [self._index[name] for name in names]
        return [os.pread(descriptor, length, offset) for offset, length in places]
