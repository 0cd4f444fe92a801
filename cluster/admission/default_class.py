"""Which class of several is the default one: it says so in an annotation; the newest wins."""

from __future__ import annotations

from cluster.admission.request import Request


def default_class(request: Request, storage: str, annotation: str) -> str | None:
    """The name of the default class among the objects of `storage`, None without one."""
    found = []
    for entry in request.cache.list(storage):
        annotations = entry.object()["metadata"].get("annotations") or {}
        if annotations.get(annotation) == "true":
            found.append((entry.meta.creationTimestamp or "", entry.key.name))
    if not found:
        return None
    newest = max(created for created, _ in found)
    return min(name for created, name in found if created == newest)
