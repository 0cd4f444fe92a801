"""namespaces/finalize: replace `spec.finalizers`; the last one taken away ends a terminating namespace."""

from __future__ import annotations

from apiserver import render
from apiserver.request import Request, check_types, only
from apiserver.resources import write
from apiserver.response import Answer
from cluster.plan import arun
from cluster.verbs import update
from kube.objects import Json
from kube.registry import Kind


async def handle(request: Request, kind: Kind) -> Answer:
    """PUT of a namespace of which only `spec.finalizers` counts."""
    only(request, "update")
    view, call = request.view, write.call_of(request, kind)
    sent = await request.json()
    check_types(kind.definition, kind.kind, sent)
    finalizers = (sent.get("spec") or {}).get("finalizers") or []

    def transform(namespace: Json) -> Json:
        spec = namespace.setdefault("spec", {})
        if finalizers:
            spec["finalizers"] = finalizers
        else:
            spec.pop("finalizers", None)
        revision = (sent.get("metadata") or {}).get("resourceVersion")
        namespace["metadata"]["resourceVersion"] = revision or ""
        return namespace

    result = await arun(update.plan(call, transform), request.state.store)
    return render.outcome(kind, view, result, 200, call.warnings)
