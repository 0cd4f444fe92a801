"""What a server creates of itself at start: namespaces, default roles, priority classes, its own Service."""

from __future__ import annotations

import logging

from apiserver.state import State
from cluster import bootstrap
from cluster.store import Key
from kube.errors import AlreadyExists, ApiError
from kube.registry import Kind
from kube.users import APISERVER

log = logging.getLogger(__name__)


def reachable(state: State, address: str) -> bool:
    """Whether pods can reach the address: those with addresses of their own cannot reach a loopback address."""
    return not address.startswith("127.") or state.settings.pod_cidr.startswith("127.")


def ensure(state: State, address: str, port: int) -> None:
    """Create what is missing of the bootstrap objects; what is there stays as it is."""
    session = state.session(APISERVER)
    state.cache.refresh()
    missing: list[tuple[Kind, str, dict[str, object]]] = []
    for obj in bootstrap.objects(state.settings, port, address):
        kind = state.registry.by_gvk(obj["apiVersion"], obj["kind"])
        if kind is None:
            log.debug("no kind %s %s: it is not created at start", obj["apiVersion"], obj["kind"])
            continue
        if not reachable(state, address) and obj["kind"] in ("Endpoints", "EndpointSlice"):
            continue
        namespace = obj["metadata"].get("namespace", "")
        if state.cache.get(Key(kind.storage, namespace, obj["metadata"]["name"])) is None:
            missing.append((kind, namespace, obj))
    namespaces = [item for item in missing if item[0].storage == "namespaces"]
    for batch in (namespaces, [item for item in missing if item not in namespaces]):
        for item, result in zip(batch, session.create_many(batch), strict=True):
            if isinstance(result, ApiError) and not isinstance(result, AlreadyExists):
                log.error(
                    "%s %s could not be created at start: %s", item[2]["kind"], item[2]["metadata"], result.message
                )
