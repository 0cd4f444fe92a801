"""pods/binding, and the older collection `bindings`."""

from __future__ import annotations

from typing import Any

from apiserver import response
from apiserver.request import Request
from apiserver.response import Answer
from apiserver.subresources.posted import posted
from cluster.plan import arun
from cluster.verbs import bind
from kube.errors import BadRequest
from kube.registry import Kind

SUCCESS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


async def handle(request: Request, kind: Kind) -> Answer:
    """Bind the pod of the path."""
    binding = await posted(request, "Binding")
    if (binding["metadata"].get("name") or request.info.name) != request.info.name:
        raise BadRequest("name in URL does not match name in Binding object")
    return await _bind(request, request.info.name, binding)


async def collection(request: Request) -> Answer:
    """Bind the pod that the Binding is named like."""
    binding = await posted(request, "Binding")
    binding["metadata"].pop("uid", None)  # here it is the binding's own, no precondition: so the real server has it
    return await _bind(request, binding["metadata"].get("name", ""), binding)


async def _bind(request: Request, name: str, binding: dict[str, Any]) -> Answer:
    session = request.state.session(request.user)
    call = session.call(
        "pods", request.info.namespace, name, "binding", dry_run=request.dry_run, annotations=request.noted
    )
    await arun(bind.plan(call, binding), request.state.store)
    return response.json_response(SUCCESS, 201)
