"""The answers of metrics.k8s.io: get and list, by namespace, name and labels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import orjson

from apiserver import partial as partially
from apiserver import render, table
from apiserver.backend import kubelet_target
from apiserver.negotiation import View
from apiserver.request import Request, only, resource_not_found
from apiserver.resourcemetrics import kinds
from apiserver.resourcemetrics.scraper import Figures, Kubelet, Round
from apiserver.response import Answer
from client.paths import kubelet_port, kubelet_prefix
from cluster.cache import Entry
from cluster.verbs import select
from kube import clock
from kube.errors import NotFound
from kube.objects import Json
from kube.registry import Kind

if TYPE_CHECKING:
    from apiserver.state import State


async def handle(request: Request) -> Answer:
    """Answer a request for this group's resources. Raises ApiError."""
    info = request.info
    kind = next((k for k in kinds.KINDS if (k.version, k.plural) == (info.version, info.resource)), None)
    if kind is None or info.subresource or (info.namespace and not kind.namespaced):
        raise resource_not_found()
    only(request, "get", "list")
    view = request.view
    entries = _wanted(request, kind)
    figures = await request.state.scraper.latest(partial(kubelets, request.state))
    items = [made for entry in entries if (made := _made(kind, entry, figures)) is not None]
    if not info.name:
        return render.finish(view, _list(kind, items, view, request.query("includeObject")))
    if not items:
        name = f"{info.namespace}/{info.name}" if kind.namespaced else info.name
        raise NotFound(f"{kind.kind.lower()}", name, kind.group)
    return render.finish(view, _one(kind, items[0], view, request.query("includeObject")))


def kubelets(state: State) -> dict[str, Kubelet]:
    """The kubelets that serve figures, by node. A node that does not name its port runs none."""
    found = {}
    for entry in state.cache.list("nodes"):
        node = entry.object()
        if kubelet_port(node) and (node.get("status") or {}).get("addresses"):
            found[entry.key.name] = kubelet_target(node, state.pki), kubelet_prefix(node)
    return found


def _wanted(request: Request, kind: Kind) -> list[Entry]:
    """The nodes or pods that are asked about; their labels are selected by."""
    info, cache = request.info, request.state.cache
    cache.refresh()
    matches = select.matcher(kind, request.query("labelSelector"), request.query("fieldSelector"))
    found = cache.list(kind.plural, info.namespace or None)
    if info.name:
        return [entry for entry in found if entry.key.name == info.name]
    return [entry for entry in found if matches is None or matches(entry)]


def _made(kind: Kind, entry: Entry, figures: Round) -> Json | None:
    """The object about one node or pod; None without figures."""
    name, namespace = entry.key.name, entry.key.namespace
    found: Figures | None = figures.pods.get((namespace, name)) if kind.namespaced else figures.nodes.get(name)
    if found is None:
        return None
    metadata: Json = {"name": name, **({"namespace": namespace} if namespace else {}), "creationTimestamp": clock.now()}
    if entry.labels:
        metadata["labels"] = dict(entry.labels)
    made = {"metadata": metadata, "timestamp": found.timestamp, "window": kinds.WINDOW}
    if not kind.namespaced:
        return {**made, "usage": kinds.usage(*found.usage[""])}
    return {**made, "containers": [{"name": part, "usage": kinds.usage(*use)} for part, use in found.usage.items()]}


def _one(kind: Kind, obj: Json, view: View, include: str) -> bytes:
    if view.transform == "Table":
        return orjson.dumps(table.of_object(kind, obj, view.version, include))
    if view.transform:
        return orjson.dumps(partially.of_object(obj, view.version))
    return orjson.dumps({"kind": kind.kind, "apiVersion": kind.api_version, **obj})


def _list(kind: Kind, items: list[Json], view: View, include: str) -> bytes:
    if view.transform == "Table":
        return orjson.dumps(table.of_items(kind, items, view.version, include))
    if view.transform:
        return orjson.dumps(partially.of_list(items, {}, view.version))
    return orjson.dumps({"kind": kind.list_kind, "apiVersion": kind.api_version, "metadata": {}, "items": items})
