"""DELETE of an object or of a collection."""

from __future__ import annotations

import orjson

from apiserver import converting, negotiation, render
from apiserver.request import Request, check_dry_run, check_types
from apiserver.resources import write
from apiserver.resources.lists import Page, encode
from apiserver.response import Answer
from cluster.cache import Entry
from cluster.verbs import delete, delete_collection
from cluster.verbs.call import Call
from kube.errors import BadRequest
from kube.objects import Json
from kube.registry import Kind

_OPTIONS = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"


async def handle(request: Request, kind: Kind) -> Answer:
    """DELETE of one object: the object while it goes, a Status when it is gone."""
    call = write.call_of(request, kind)
    options = await read_options(request, call)
    # 202 would be right for what is only marked; Kubernetes answers 200 unless an orphaning client asks otherwise.
    return await write.answer(request, kind, call, delete.plan(call, options), 200)


async def collection(request: Request, kind: Kind) -> Answer:
    """DELETE of all that selectors match: the list of what was deleted."""
    view, call = request.view, write.call_of(request, kind)
    options = await read_options(request, call)
    plan = delete_collection.plan(call, options, request.query("labelSelector"), request.query("fieldSelector"))
    outcomes = await converting.carried_out(kind, plan, request.state.store)
    entries = [Entry(call.key._replace(name=o.obj["metadata"]["name"]), 0, o.body) for o in outcomes]
    page = Page(entries, request.state.cache.revision)
    pieces = await converting.apart(kind, lambda: encode(kind, view, page))
    return render.finish(view, pieces, warnings=call.warnings)


async def read_options(request: Request, call: Call) -> Json:
    """DeleteOptions from body and query; a dry run they ask for is set in the call. Raises BadRequest, Invalid."""
    body = await request.body()
    options: Json = {}
    if body.strip():
        sent = request.header(b"content-type")
        options = await negotiation.apart(lambda: negotiation.decode(sent, body), body, sent)
        if not isinstance(options, dict):
            raise BadRequest("DeleteOptions must be a JSON object")
        kind = options.get("kind")
        if kind not in (None, "", "DeleteOptions"):
            raise BadRequest(f'no kind "{kind}" is registered for version "{options.get("apiVersion", "")}"')
        check_types(_OPTIONS, "DeleteOptions", options)
        if check_dry_run(options.get("dryRun") or []):
            call.dry_run = True
    if request.query("propagationPolicy"):
        options["propagationPolicy"] = request.query("propagationPolicy")
    if request.has_query("orphanDependents"):
        options["orphanDependents"] = request.flag("orphanDependents")
    grace = request.integer("gracePeriodSeconds")
    if grace is not None:
        options["gracePeriodSeconds"] = grace
    read: Json = orjson.loads(orjson.dumps(options))
    return read
