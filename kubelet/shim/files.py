"""Small files that are whole or absent."""

from __future__ import annotations

import json
import os
from typing import Any


def write_json(path: str, value: Any) -> None:
    """Atomic: a reader sees the old content or the new one."""
    with open(path + ".tmp", "w") as file:
        json.dump(value, file)
    os.rename(path + ".tmp", path)


def read_json(path: str) -> Any:
    """The content, or None when there is no such file (or a crash left it unreadable)."""
    try:
        with open(path) as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return None
