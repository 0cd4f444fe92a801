"""What a request is about, read from its method and path: the resource and the verb that authorisation asks for."""

from __future__ import annotations

from dataclasses import dataclass

METHOD_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get", "HEAD": "get"}
_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


@dataclass(slots=True)
class RequestInfo:
    """`is_resource` is False for everything outside /api/V/… and /apis/G/V/…; then `verb` is the method in lower case.

    `rest` is what follows the subresource: the path behind a proxy.
    """

    path: str
    verb: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    rest: str = ""


def parse(method: str, path: str, watch: bool) -> RequestInfo:
    """The info of a request; `watch`: whether its query asks for a watch, which only collections heed."""
    parts = [part for part in path.split("/") if part]
    info = RequestInfo(path, method.lower())
    if len(parts) >= 3 and parts[0] == "api":
        info.version, parts = parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        info.group, info.version, parts = parts[1], parts[2], parts[3:]
    else:
        return info
    info.is_resource = True
    by_path = parts[0] == "watch" and len(parts) > 1  # the old way to ask for one, still in use by old clients
    if by_path:
        parts, watch = parts[1:], True
    _read_resource(info, parts)
    if info.subresource == "proxy":  # as it came, with its leading slash
        info.rest = path.partition(f"/{info.resource}/{info.name}/proxy")[2]
    info.verb = METHOD_VERBS.get(method, method.lower())
    if not info.name:
        collection = {"get": "watch" if watch else "list", "delete": "deletecollection"}
        info.verb = collection.get(info.verb, info.verb)
    elif by_path and info.verb == "get" and not info.subresource:
        info.verb = "watch"
    return info


def _read_resource(info: RequestInfo, parts: list[str]) -> None:
    if parts[0] == "namespaces" and len(parts) > 1:
        info.namespace = parts[1]
        if len(parts) > 2 and parts[2] not in _NAMESPACE_SUBRESOURCES:
            parts = parts[2:]
    info.resource, info.name, info.subresource, *_ = [*parts, "", "", ""]
