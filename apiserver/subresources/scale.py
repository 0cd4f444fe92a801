"""/scale: the replicas of a workload, as an `autoscaling/v1 Scale`."""

from __future__ import annotations

from typing import Any

import orjson

from apiserver import converting, render, table
from apiserver.negotiation import View
from apiserver.request import Request, check_types, only
from apiserver.resources import get, write
from apiserver.response import Answer
from cluster.verbs import apply, update
from kube import columns, schema, selectors
from kube.errors import BadRequest, Invalid, invalid
from kube.objects import Json, fetch
from kube.patch import decoded, jsonpatch, merge
from kube.registry import Kind, Scale

_DEFINITION = "io.k8s.api.autoscaling.v1.Scale"


def _cells(scale: Json, now: float) -> list[Any]:
    return [
        scale["metadata"]["name"],
        scale["spec"].get("replicas", 0),
        scale["status"].get("replicas", 0),
        columns.age(scale, now),
    ]


KIND = Kind(
    "autoscaling",
    "v1",
    "Scale",
    "scales",
    cells=_cells,
    columns=(
        columns.NAME,
        columns.column("Desired", "integer", "How many replicas are wanted."),
        columns.column("Available", "integer", "How many replicas there are."),
        columns.AGE,
    ),
)


async def handle(request: Request, kind: Kind) -> Answer:
    """Read or write the scale of an object."""
    only(request, "get", "update", "patch")
    view, paths = request.view, kind.scale or Scale()
    if request.info.verb == "get":
        entry = get.find(request, kind)
        found = await converting.apart(kind, lambda: kind.from_storage(entry.object()))
        if schema.is_custom(kind.definition) and fetch(found, paths.replicas) is None:
            text = f'the spec replicas field ".{paths.replicas}" does not exist'
            raise BadRequest(text, details={"causes": [{"message": text}]})
        return render.finish(view, _body(of_object(found, paths), view, request.query("includeObject")))
    wanted = await _wanted(request)
    call = write.call_of(request, kind)
    call.subresource, call.part = "", "scale"
    call.applied = write.applies(request)

    def transform(obj: Json) -> Json:
        scale = wanted(of_object(obj, paths))
        if not isinstance(scale, dict):
            raise BadRequest("a Scale must be a JSON object")
        check_types(_DEFINITION, "Scale", scale)
        _check(request, kind, scale)
        if call.applied:
            return apply.merged(call, _of_parent(kind, scale), obj)
        sent = (scale.get("metadata") or {}).get("resourceVersion")
        if sent or kind.strategy.unconditional_update:
            obj["metadata"]["resourceVersion"] = sent or ""
        put(obj, paths.replicas, (scale.get("spec") or {}).get("replicas", 0))
        return obj

    result = await converting.carried_out(kind, update.plan(call, transform), request.state.store)
    return render.finish(view, _body(of_object(result.obj, paths), view), 200, call.warnings)


def _of_parent(kind: Kind, scale: Json) -> Json:
    """The configuration of the scaled object that applying a Scale stands for."""
    if (scale.get("apiVersion"), scale.get("kind")) != ("autoscaling/v1", "Scale"):
        raise BadRequest(f"invalid object type: {scale.get('apiVersion')}, Kind={scale.get('kind')}")
    meta = scale.get("metadata") or {}
    if meta.get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    kept = {key: meta[key] for key in ("resourceVersion", "uid") if meta.get(key)}
    config: Json = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": meta.get("name"), **kept}}
    replicas = (scale.get("spec") or {}).get("replicas")
    if replicas is not None:
        put(config, (kind.scale or Scale()).replicas, replicas)
    return config


def _body(scale: Json, view: View, include: str = "") -> bytes:
    return orjson.dumps(table.of_object(KIND, scale, view.version, include) if view.transform == "Table" else scale)


async def _wanted(request: Request) -> Any:
    """From the present Scale to the one the client wants."""
    if request.info.verb == "update":
        sent = await request.json()
        return lambda present: sent
    content_type, body = await write.patch_body(request)
    write.check_apply_options(request, content_type == write.APPLY)
    if content_type == write.APPLY:
        return lambda present: body
    body = decoded(body, content_type)
    if content_type == write.PATCHES[0]:
        return lambda present: jsonpatch.apply(present, body)
    return lambda present: merge.apply(present, body)


def _check(request: Request, kind: Kind, scale: Json) -> None:
    meta = scale.get("metadata") or {}
    name = request.info.name
    if meta.get("name", name) != name:
        raise BadRequest(f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if replicas < 0 and schema.is_custom(kind.definition):
        paths = kind.scale or Scale()
        raise Invalid(
            kind.kind, name, [invalid(f".{paths.replicas}", replicas, "should be a non-negative integer")], kind.group
        )
    if replicas < 0:
        raise Invalid(
            "Scale", name, [invalid("spec.replicas", replicas, "must be greater than or equal to 0")], "autoscaling"
        )


def of_object(obj: Json, paths: Scale) -> Json:
    """The Scale of an object."""
    meta = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Json = {"replicas": fetch(obj, paths.status_replicas) or 0}
    selector = fetch(obj, paths.selector)
    if isinstance(selector, dict) and selector:
        structured = selector.keys() <= {"matchLabels", "matchExpressions"}
        selector = str(selectors.from_object(selector) if structured else selectors.from_map(selector))
    if selector:
        status["selector"] = selector
    replicas = fetch(obj, paths.replicas) or 0
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {k: meta[k] for k in kept if k in meta},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def put(obj: Json, path: str, value: Any) -> None:
    """Set the value at a dotted path. Raises BadRequest where something else than an object is in between."""
    *parents, last = path.strip(".").split(".")
    for part in parents:
        obj = obj.setdefault(part, {})
        if not isinstance(obj, dict):
            raise BadRequest(f'the field ".{path}" cannot be set: {part} is no object')
    obj[last] = value
