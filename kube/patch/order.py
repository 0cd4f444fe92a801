"""The order of a merged list: what the patch names stands in the patch's order, the rest where the server had it."""

from __future__ import annotations

from typing import Any

from kube.errors import BadRequest
from kube.patch import gotext


def _identity(item: Any, key: str) -> Any:
    value = item.get(key) if key and isinstance(item, dict) else item
    return repr(value) if isinstance(value, dict | list) else value


def check_order(patch: list[Any], order: list[Any], key: str) -> None:
    """The patch's items must be in the order that `$setElementOrder` lists; deleted ones need not be in it."""
    places = {_identity(item, key): place for place, item in enumerate(order)}
    named = [item for item in patch if not (isinstance(item, dict) and item.get("$patch") in ("delete", "replace"))]
    found = [places.get(_identity(item, key), -1) for item in named]
    if -1 in found or found != sorted(found):
        raise BadRequest(
            f"The order in patch list:\n{gotext.show(patch)}\n doesn't match $setElementOrder list:\n"
            f"{gotext.show(order)}\n"
        )


def interleave(items: list[Any], order: list[Any], server: list[Any], key: str) -> list[Any]:
    """Sort `items`: those named in `order` by it, the others as in `server`, and both among each other by `server`.

    An item that the server did not have comes before the next item that only the server has.
    """
    wanted = {_identity(item, key): place for place, item in enumerate(order)}
    had = {_identity(item, key): place for place, item in reversed(list(enumerate(server)))}
    named = sorted((i for i in items if _identity(i, key) in wanted), key=lambda i: wanted[_identity(i, key)])
    others = [i for i in items if _identity(i, key) not in wanted]
    result: list[Any] = []
    while named and others:
        left, right = had.get(_identity(named[0], key), -1), had.get(_identity(others[0], key), len(server))
        result.append((named if left < right else others).pop(0))
    return result + named + others
