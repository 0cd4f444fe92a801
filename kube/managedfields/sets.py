"""Sets of field paths, kept in the very form in which they are stored (`fieldsV1`).

A node is an object from path element (`f:name`, `k:{…}`, `v:…`) to node. A path is in the set if its node is empty, or
has the key `.`; a node with children only leads to its members. The empty set is None where a node is expected.
"""

from __future__ import annotations

from typing import Any

Node = dict[str, Any]
SELF = "."


def is_member(node: Node) -> bool:
    """Whether the path that leads to the node is itself in the set."""
    return not node or SELF in node


def union(left: Node | None, right: Node | None) -> Node | None:
    """Paths of either set. Nodes are shared with the arguments, which stay as they are."""
    if left is None or right is None:
        return right if left is None else left
    result = dict(left)
    for key, node in right.items():
        result[key] = union(left[key], node) if key in left else node
    return _marked(result, is_member(left) or is_member(right))


def difference(left: Node | None, right: Node | None, below: bool = False) -> Node | None:
    """Paths of `left` that are not in `right`; with `below`, also without what lies under paths of `right`."""
    if left is None or right is None:
        return left
    if below and is_member(right):
        return None
    result: Node = {}
    for key, node in left.items():
        if key != SELF:
            rest = difference(node, right.get(key), below)
            if rest is not None:
                result[key] = rest
    return _kept(result, is_member(left) and not is_member(right))


def intersection(left: Node | None, right: Node | None) -> Node | None:
    """Paths in both sets."""
    if left is None or right is None:
        return None
    result: Node = {}
    for key, node in left.items():
        if key != SELF:
            common = intersection(node, right.get(key))
            if common is not None:
                result[key] = common
    return _kept(result, is_member(left) and is_member(right))


def _marked(node: Node, member: bool) -> Node:
    """A node with children, as a member or not."""
    children = {key: child for key, child in node.items() if key != SELF}
    return {SELF: {}, **children} if member and children else children


def _kept(node: Node, member: bool) -> Node | None:
    return _marked(node, member) if node or member else None


def paths(node: Node | None, prefix: str = "") -> list[str]:
    """The members as they are shown in conflicts: `.spec.containers[name="c"].image`, in order."""
    if node is None:
        return []
    found = [prefix] if is_member(node) and prefix else []
    for key in sorted(key for key in node if key != SELF):
        found += paths(node[key], prefix + _shown(key))
    return found


def _shown(element: str) -> str:
    import orjson

    kind, text = element[0], element[2:]
    if kind == "f":
        return f".{text}"
    if kind == "k":
        keys = orjson.loads(text)
        return "[" + ",".join(f"{name}={orjson.dumps(value).decode()}" for name, value in keys.items()) + "]"
    return f"[={text}]" if kind == "v" else f"[{text}]"


def without(node: Node | None, *path: str) -> Node | None:
    """The set without a path and what lies under it."""
    if node is None or path[0] not in node:
        return node
    result = {key: child for key, child in node.items() if key != path[0]}
    if len(path) > 1:
        rest = without(node[path[0]], *path[1:])
        if rest:
            result[path[0]] = rest
    return result or None


def only(node: Node | None, *names: str) -> Node | None:
    """The part of a set below some of its first elements."""
    return {key: child for key, child in (node or {}).items() if key in names} or None
