"""Merging an applied configuration into the live object, and removing what a manager no longer applies."""

from __future__ import annotations

from typing import Any

from kube.managedfields.compare import field_of, is_leaf
from kube.managedfields.sets import SELF, Node, is_member
from kube.managedfields.whole import elements
from kube.schema.definitions import resolve
from kube.schema.types import ListOf, Type


def merge(kind: Type, live: Any, config: Any) -> Any:
    """The live value with the configuration over it. New containers; leaves are shared with the arguments."""
    kind = resolve(kind)
    if is_leaf(kind, config):
        return config
    if isinstance(kind, ListOf):
        # Items of the live list keep their places; new ones follow.
        had = live if isinstance(live, list) else []
        wanted = dict(zip(elements(kind, config), config, strict=True))
        items = [
            merge(kind.item, item, wanted.pop(key)) if key in wanted else item
            for key, item in zip(elements(kind, had), had, strict=True)
        ]
        return items + [merge(kind.item, None, item) for item in wanted.values()]
    result = dict(live) if isinstance(live, dict) else {}
    for key, value in config.items():
        result[key] = merge(field_of(kind, key).type, result.get(key), value)  # type: ignore[arg-type]
    return result


def remove(kind: Type, value: Any, last: Node, owned: Node | None) -> Any:
    """`value` without the paths of `last` that nobody owns (`owned`: the union of all managers' sets)."""
    kind = resolve(kind)
    if is_leaf(kind, value):
        return value
    if isinstance(kind, ListOf):
        items = []
        for key, item in zip(elements(kind, value), value, strict=True):
            node, mine = last.get(key), (owned or {}).get(key)
            if node is None:
                items.append(item)
            elif mine is not None or not is_member(node):
                items.append(remove(kind.item, item, node, mine))
        return items
    result = {}
    for key, item in value.items():
        node = last.get("f:" + key)
        mine = (owned or {}).get("f:" + key)
        if node is None:
            result[key] = item
        elif mine is not None or not is_member(node) or _has_strangers(node, item):
            result[key] = remove(field_of(kind, key).type, item, node, mine)  # type: ignore[arg-type]
    return result


def _has_strangers(node: Node, item: Any) -> bool:
    """Whether a container that is dropped holds fields the manager did not own: they stay."""
    known = {key[2:] for key in node if key != SELF and key.startswith("f:")}
    return bool(known) and isinstance(item, dict) and not set(item) <= known
