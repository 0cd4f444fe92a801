"""Search by name over all kinds that a user may list."""

from __future__ import annotations

from typing import Any

from dashboard.access import Access, within

MAX_FOUND = 40


def find(access: Access, text: str) -> list[dict[str, Any]]:
    """Objects whose name (or `namespace/name`) contains every word of `text`; best first: equal, then prefix, then short."""
    words = text.lower().split()[:6]
    if not words:
        return []
    found: list[tuple[tuple[int, int, str], dict[str, Any]]] = []
    for storage in access.source.cache.stored():
        kind = access.source.kind(storage)
        scope = access.scope(kind) if kind else frozenset()
        if kind is None or scope == frozenset() or storage in ("events", "events.events.k8s.io"):
            continue
        for entry in access.source.cache.list(storage):
            key = entry.key
            place = f"{kind.kind.lower()} {key.namespace}/{key.name}"
            if within(scope, key.namespace) and all(word in place for word in words):
                # The name itself stands first, then names that begin so.
                begins = 1 if any(key.name.startswith(word) for word in words) else 2
                rank = (0 if key.name in words else begins, len(key.name), key.name)
                found.append((rank, {"key": list(key), "kind": kind.kind}))
    found.sort(key=lambda pair: pair[0])
    return [hit for _, hit in found[:MAX_FOUND]]
