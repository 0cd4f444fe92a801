"""Merging an applied configuration into the live object, and removing what a manager no longer applies."""

from __future__ import annotations

from collections import Counter
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
        return _lists(kind, live if isinstance(live, list) else [], config)
    result = dict(live) if isinstance(live, dict) else {}
    for key, value in config.items():
        result[key] = merge(field_of(kind, key).type, result.get(key), value)  # type: ignore[arg-type]
    return result


def _lists(kind: ListOf, live: list[Any], config: list[Any]) -> list[Any]:
    """Items that are there twice in the live list have no counterpart: the applied one takes their place as it is."""
    had, wanted = elements(kind, live), elements(kind, config)
    times = Counter(had)
    before = {key: item for key, item in zip(had, live, strict=True) if times[key] == 1}
    return [
        live[place] if own else merge(kind.item, before.get(wanted[place]), config[place])
        for own, place in woven(had, wanted)
    ]


def woven(had: list[str], wanted: list[str]) -> list[tuple[bool, int]]:
    """The order of a merged list, as (whether it is an item of `had` alone, its place in that list or in `wanted`).

    Applied items come in the applied order, each once, and those of the live list alone keep theirs. Both are walked at
    once: the live list's own items come first where they can, a new item just before the next one that both lists have.
    """
    live, applied = set(had), set(wanted)
    shared = [key for key in reversed(wanted) if key in live]  # what is still to come of both, the next one last
    order: list[tuple[bool, int]] = []
    left = right = 0
    while left < len(had) or right < len(wanted):
        key = had[left] if left < len(had) else None
        if key is not None and key not in applied:
            order.append((True, left))
            left += 1
            continue
        if key is not None and shared and shared[-1] != key:  # it was moved, or is there already
            left += 1
            continue
        if key is not None and not (shared and wanted[right] != key):
            left += 1
        if right < len(wanted):
            order.append((False, right))
            if shared and shared[-1] == wanted[right]:
                shared.pop()
            right += 1
    return order


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
