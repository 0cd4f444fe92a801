"""The objects of the API, as Python types. What their fields hold is in `kube.shapes`, for mypy."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]  # an object of any kind, or a part of one, as it stands in JSON

SYSTEM_NAMESPACE = "kube-system"
"""Where the cluster's own parts run."""


def whole(text: str) -> int | None:
    """The whole number that a text is; None for all else: signs, other scripts' digits, thousands of digits."""
    return int(text) if 0 < len(text) < 19 and text.isascii() and text.isdigit() else None


def fetch(obj: Json, path: str) -> Any:
    """The value at a dotted path, None if there is none."""
    value: Any = obj
    for part in path.strip(".").split(".") if path else ():
        value = value.get(part) if isinstance(value, dict) else None
    return value if path else None
