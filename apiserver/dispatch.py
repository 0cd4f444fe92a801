"""From a resource request to its handler: does the resource exist, and does it know the verb."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from apiserver import negotiation, response
from apiserver.request import Request, not_allowed, resource_not_found
from apiserver.resourcemetrics import kinds, serve
from apiserver.resources import delete, get, lists, watch, write
from apiserver.response import Answer, Response
from apiserver.subresources import HANDLERS, VIRTUAL
from kube import schema
from kube.errors import NotFound
from kube.registry import Kind

Handler = Callable[[Request, Kind], Awaitable[Answer]]

COLLECTION: dict[str, Handler] = {
    "list": lists.handle,
    "watch": watch.handle,
    "create": write.create,
    "deletecollection": delete.collection,
}
ITEM: dict[str, Handler] = {
    "get": get.handle,
    "watch": watch.handle,
    "update": write.update,
    "patch": write.patch,
    "delete": delete.handle,
}
# What clients are told about versions that will go.
DEPRECATED = {("", "v1", "endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"}


async def handle(request: Request) -> Answer:
    """Answer a resource request. Raises ApiError."""
    if negotiation.only_protobuf(request.header(b"accept")):
        from apiserver import protobuf  # only in processes that are asked for it

        return await protobuf.answered(request, _handle)
    return await _handle(request)


async def _handle(request: Request) -> Answer:
    info, registry = request.info, request.state.registry
    if info.group == kinds.GROUP and kinds.served(request.state.cache):
        return await serve.handle(request)
    virtual = VIRTUAL.get((info.group, info.version, info.resource))
    if virtual is not None and not info.subresource:
        return await virtual(request)
    kind = registry.lookup(info.group, info.version, info.resource)
    if kind is None or (info.namespace and not kind.namespaced and info.resource != "namespaces"):
        served = [known for known in registry.all() if known.group == info.group]
        if info.group and all(schema.is_custom(known.definition) for known in served):
            return response.page_not_found()
        raise resource_not_found()
    if kind.deprecation:
        request.warnings.append(kind.deprecation)
    answer = await (_subresource(request, kind) if info.subresource else _object_or_collection(request, kind))
    deprecation = DEPRECATED.get((kind.group, kind.version, kind.plural))
    if deprecation and isinstance(answer, Response):
        answer.warnings = [deprecation, *answer.warnings]
    return answer


async def _object_or_collection(request: Request, kind: Kind) -> Answer:
    info = request.info
    if info.name and info.verb in ITEM:
        return await _checked(request, kind, ITEM)
    if not info.name and (info.namespace or not kind.namespaced or info.verb in ("list", "watch")):
        return await _checked(request, kind, COLLECTION)
    raise not_allowed()


async def _checked(request: Request, kind: Kind, handlers: dict[str, Handler]) -> Answer:
    handler = handlers.get(request.info.verb)
    if handler is None or request.info.verb not in kind.verbs:
        raise not_allowed()
    return await handler(request, kind)


async def _subresource(request: Request, kind: Kind) -> Answer:
    name = request.info.subresource
    if name not in kind.subresources and schema.is_custom(kind.definition):
        raise NotFound(kind.plural, request.info.name, kind.group)
    if name not in kind.subresources or not request.info.name:
        raise resource_not_found()
    handler = HANDLERS.get((kind.storage, name)) or HANDLERS.get(("*", name))
    if handler is None:  # a view of the object itself: read it whole, write the part
        if request.info.verb not in ("get", "update", "patch"):
            raise not_allowed()
        handler = ITEM[request.info.verb]
    return await handler(request, kind)
