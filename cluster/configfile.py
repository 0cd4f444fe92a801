"""Files of configuration: YAML of a declared form. What is wrong is a ValueError that begins with where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from kube import yamltext
from kube.objects import Json

T = TypeVar("T")


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
