"""componentstatuses: an old, deprecated view of the health of the control plane."""

from __future__ import annotations

from typing import Any

from apiserver import health, response
from apiserver.request import Request
from apiserver.response import Answer
from apiserver.subresources.verbs import only
from cluster.errors import NotFound

NAMES = ("scheduler", "controller-manager", "etcd-0")


async def handle(request: Request) -> Answer:
    """List them, or get one."""
    only(request, "get", "list")
    items = [_status(name, health.run(health.store_answers, request.state)) for name in NAMES]
    if request.info.name:
        found = next((item for item in items if item["metadata"]["name"] == request.info.name), None)
        if found is None:
            raise NotFound("componentstatuses", request.info.name)
        return response.json_response({"kind": "ComponentStatus", "apiVersion": "v1", **found})
    warnings = ["v1 ComponentStatus is deprecated in v1.19+"]
    return response.json_response({"kind": "ComponentStatusList", "apiVersion": "v1", "metadata": {}, "items": items},
                                  warnings=warnings)


def _status(name: str, problem: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "conditions": [
        {"type": "Healthy", "status": "False" if problem else "True", "message": problem or "ok"}]}
