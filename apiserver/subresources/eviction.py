"""pods/eviction: delete a pod as far as its disruption budget allows."""

from __future__ import annotations

from apiserver import response
from apiserver.request import Request, check_dry_run
from apiserver.response import Answer
from apiserver.subresources.posted import posted
from cluster.plan import arun
from cluster.verbs import evict
from kube.errors import BadRequest
from kube.registry import Kind


async def handle(request: Request, kind: Kind) -> Answer:
    """Answer 201, or 429 when the budget does not allow it now."""
    body = await posted(request, "Eviction")
    if (body["metadata"].get("name") or request.info.name) != request.info.name:
        raise BadRequest("name in URL does not match name in Eviction object")
    options = body.get("deleteOptions") or {}
    dry_run = request.dry_run or check_dry_run(options.get("dryRun") or [])
    call = request.state.session(request.user).call(
        "pods", request.info.namespace, request.info.name, "eviction", dry_run=dry_run, annotations=request.noted
    )
    return response.json_response(await arun(evict.plan(call, options), request.state.store), 201)
