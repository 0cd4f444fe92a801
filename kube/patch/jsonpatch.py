"""JSON patch (RFC 6902): a list of operations on places named by JSON pointers (RFC 6901)."""

from __future__ import annotations

import copy
from typing import Any

from kube.errors import ApiError, BadRequest, RequestEntityTooLarge

MAX_OPERATIONS = 10_000
# Copies can double an object with every operation; what grows beyond this is an attack.
MAX_COPIED = 3 * 1024 * 1024
_MISSING = object()


def apply(document: Any, operations: list[Any]) -> Any:
    """The document after all operations; changed in place. Raises BadRequest, or 422 where one does not fit."""
    if len(operations) > MAX_OPERATIONS:
        raise RequestEntityTooLarge(
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}"
        )
    root = [document]  # one list around it, so that the whole document has a parent too
    copied = 0
    for operation in operations:
        copied += _run(root, operation)
        if copied > MAX_COPIED:
            raise RequestEntityTooLarge(f"the copies that a JSON patch makes are limited to {MAX_COPIED} bytes")
    return root[0]


def _run(root: list[Any], operation: Any) -> int:
    """Carry out one operation; returns the bytes it copied."""
    if not isinstance(operation, dict):
        raise BadRequest("error decoding patch: each operation of a JSON patch must be an object")
    op, path = operation.get("op"), _pointer(operation, "path")
    if op == "add":
        _put(root, path, _value(operation), insert=True)
    elif op == "replace":
        _find(root, path)
        _put(root, path, _value(operation), insert=False)
    elif op == "remove":
        _take(root, path)
    elif op == "move":
        _put(root, path, _take(root, _pointer(operation, "from")), insert=True)
    elif op == "copy":
        value = _find(root, _pointer(operation, "from"))
        _put(root, path, copy.deepcopy(value), insert=True)
        return len(str(value))
    elif op == "test":
        if not _equal(_find(root, path, operation.get("value") is None), _value(operation)):
            raise _refused(f"testing value {operation['path']} failed")
    else:
        raise _refused(f"Unexpected kind: {op}")
    return 0


def _refused(detail: str) -> ApiError:
    """kube-apiserver does not say what does not fit, and neither do we; callers in Python find `detail` in a note."""
    error = ApiError("the server rejected our request due to an error in our request", code=422, reason="Invalid")
    error.add_note(detail)
    return error


def _value(operation: dict[str, Any]) -> Any:
    if "value" not in operation:
        raise _refused(f"{operation['op']} of {operation['path']}: the operation has no value")
    return operation["value"]


def _pointer(operation: dict[str, Any], name: str) -> list[str]:
    """The steps from the list around the document: its place 0, then the pointer's own."""
    text = operation.get(name)
    if not isinstance(text, str):
        raise _refused(f"the operation's {name!r} must be a JSON pointer such as /spec/replicas")
    if text and not text.startswith("/"):
        raise _refused(f"{name} {text!r}: a JSON pointer starts with a slash")
    return ["0", *(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])]


def _shown(path: list[str]) -> str:
    return "/" + "/".join(path[1:])


def _index(container: list[Any], part: str, path: list[str], extra: int = 0) -> int:
    """A place in a list: a number without leading zeros; negative ones count from the end, as Kubernetes allows."""
    try:
        index = int(part)
    except ValueError:
        raise _refused(f"{_shown(path)}: {part!r} is no index of a list") from None
    if index < 0:
        index += len(container) + extra
    if not 0 <= index < len(container) + extra:
        raise _refused(f"{_shown(path)}: index {part} is out of bounds of a list of {len(container)}")
    return index


def _find(root: list[Any], path: list[str], lenient: bool = False) -> Any:
    """The value at a path; 422 where there is none (None instead, when `lenient`)."""
    value: Any = root
    for part in path:
        if isinstance(value, dict):
            value = value.get(part, None if lenient else _MISSING)
            if value is _MISSING:
                raise _refused(f"{_shown(path)}: there is no {part!r}")
        elif isinstance(value, list):
            value = value[_index(value, part, path)]
        elif not lenient:
            raise _refused(f"{_shown(path)}: {part!r} is looked up in a plain value")
    return value


def _put(root: list[Any], path: list[str], value: Any, insert: bool) -> None:
    parent, part = _find(root, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[part] = value
    elif not isinstance(parent, list):
        raise _refused(f"{_shown(path)}: its parent is a plain value")
    elif not insert or parent is root:
        parent[_index(parent, part, path)] = value
    elif part == "-":
        parent.append(value)
    else:
        parent.insert(_index(parent, part, path, extra=1), value)


def _take(root: list[Any], path: list[str]) -> Any:
    """Remove and return a value."""
    value = _find(root, path)
    parent, part = _find(root, path[:-1]), path[-1]
    if parent is root:
        root[0] = None
    elif isinstance(parent, dict):
        del parent[part]
    else:
        del parent[_index(parent, part, path)]
    return value


def _equal(left: Any, right: Any) -> bool:
    """Equality of JSON: true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return bool(left == right)
