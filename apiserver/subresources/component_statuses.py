"""componentstatuses: an old, deprecated view of the health of the control plane."""

from __future__ import annotations

from typing import Any

import orjson

from apiserver import health, table
from apiserver.request import Request
from apiserver.resources import render
from apiserver.response import Answer
from apiserver.subresources.verbs import only
from cluster.errors import NotFound

NAMES = ("scheduler", "controller-manager", "etcd-0")


async def handle(request: Request) -> Answer:
    """List them, or get one."""
    only(request, "get", "list")
    name = request.info.name
    items = [_status(known, health.run(health.store_answers, request.state)) for known in NAMES if name in ("", known)]
    if not items:
        raise NotFound("componentstatuses", name)
    warnings = [] if name else ["v1 ComponentStatus is deprecated in v1.19+"]
    view, kind = request.view, request.state.registry.lookup("", "v1", "componentstatuses")
    if view.transform == "Table" and kind is not None:
        made = table.of_items(kind, items, view.version, request.query("includeObject"))
        return render.finish(view, orjson.dumps(made), warnings=warnings)
    if name:
        return render.finish(view, orjson.dumps({"kind": "ComponentStatus", "apiVersion": "v1", **items[0]}))
    return render.finish(view, orjson.dumps({"kind": "ComponentStatusList", "apiVersion": "v1", "metadata": {},
                                             "items": items}), warnings=warnings)


def _status(name: str, problem: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "conditions": [
        {"type": "Healthy", "status": "False" if problem else "True", "message": problem or "ok"}]}
