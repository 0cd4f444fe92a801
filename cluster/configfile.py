"""Files of configuration: YAML of a declared form. What is wrong is a ValueError that begins with where it is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from kube import yamltext
from kube.errors import FieldError
from kube.objects import Json

T = TypeVar("T")
LOOK = 1.0  # seconds between two looks whether a file has changed


class Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A form of files that, as those of Kubernetes, know no field beside their own."""


def refuse(where: str, errors: Sequence[FieldError]) -> None:
    """Raises ValueError for what is wrong."""
    if errors:
        raise ValueError(f"{where}: {'; '.join(map(str, errors))}")


class Stamp:
    """Whether a file is another one than it was. Cheap to ask: it is looked at once in `LOOK`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._looked = float("-inf")

    def changed(self) -> bool:
        """Whether it has changed, come or gone since this was last asked."""
        now = time.monotonic()
        if now - self._looked < LOOK:
            return False
        self._looked = now
        before, self._seen = self._seen, self._now()
        return self._seen != before

    def _now(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def read(form: type[T], value: Any, where: str) -> T:
    """A value as a msgspec Struct. Raises ValueError, which begins with `where`."""
    try:
        return msgspec.convert(value, form)
    except msgspec.ValidationError as error:
        raise ValueError(f"{where}: {error}") from None


def parsed(path: Path) -> Json:
    """The object in a file. Raises ValueError."""
    try:
        value = yamltext.parse(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except yamltext.YamlError as error:
        raise ValueError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path}: not an object")
    return value
