"""componentstatuses: an old, deprecated view of the health of the control plane. Each component is asked when it is read."""

from __future__ import annotations

import asyncio

import orjson

from apiserver import health, render, table
from apiserver.backend import kubelet_tls
from apiserver.request import Request, only
from apiserver.response import Answer
from apiserver.state import State
from client import healthz
from kube.errors import NotFound

# The names that Kubernetes gives them, and the process behind each; the store is asked from here.
PROCESSES = {"scheduler": "scheduler", "controller-manager": "controllers", "etcd-0": ""}


async def handle(request: Request) -> Answer:
    """List them, or get one."""
    only(request, "get", "list")
    name = request.info.name
    wanted = [known for known in PROCESSES if name in ("", known)]
    if not wanted:
        raise NotFound("componentstatuses", name)
    problems = await asyncio.gather(*(_problem(request.state, PROCESSES[known]) for known in wanted))
    items = [
        {
            "metadata": {"name": known},
            "conditions": [{"type": "Healthy", "status": "False" if problem else "True", "message": problem or "ok"}],
        }
        for known, problem in zip(wanted, problems, strict=True)
    ]
    warnings = [] if name else ["v1 ComponentStatus is deprecated in v1.19+"]
    view, kind = request.view, request.state.registry.lookup("", "v1", "componentstatuses")
    if view.transform == "Table" and kind is not None:
        made = table.of_items(kind, items, view.version, request.query("includeObject"))
        return render.finish(view, orjson.dumps(made), warnings=warnings)
    if name:
        return render.finish(view, orjson.dumps({"kind": "ComponentStatus", "apiVersion": "v1", **items[0]}))
    return render.finish(
        view,
        orjson.dumps({"kind": "ComponentStatusList", "apiVersion": "v1", "metadata": {}, "items": items}),
        warnings=warnings,
    )


async def _problem(state: State, process: str) -> str:
    """What is wrong with a process, or with the store where it is none; "" for nothing."""
    if not process:
        return health.run(health.store_answers, state)
    url = healthz.page(process, state.port)
    try:
        why = await healthz.ask(url, kubelet_tls(state.pki))
    except healthz.Unknown as error:
        why = str(error)
    return f'Get "{url}": {why}' if why else ""
