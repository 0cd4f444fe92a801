"""The way from a pod to the kubelet that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apiserver.backend import Target, kubelet_target
from apiserver.request import Request
from cluster.cache import Entry
from cluster.store import Key
from kube.errors import BadRequest, NotFound
from kube.objects import Json
from kube.pods import podutil

if TYPE_CHECKING:
    from kube.shapes import PodLike


def entry_of(request: Request, storage: str, namespace: str, name: str) -> Entry:
    """An object as it is now. Raises NotFound, in words of the kind that was asked for, as Kubernetes does."""
    cache = request.state.cache
    cache.refresh()
    entry = cache.get(Key(storage, namespace, name))
    if entry is None:
        raise NotFound(request.info.resource, name)
    return entry


def pod_of(request: Request) -> Json:
    """The pod of the path. Raises NotFound."""
    return entry_of(request, "pods", request.info.namespace, request.info.name).object()


def container_of(request: Request, pod: PodLike) -> str:
    """The container that is meant: the one named, else the only one. Raises BadRequest."""
    name, wanted = pod["metadata"]["name"], request.query("container")
    names = [c["name"] for c in podutil.all_containers(pod["spec"])]
    if wanted:
        if wanted not in names:
            raise BadRequest(f"container {wanted} is not valid for pod {name}")
        return wanted
    containers: list[str] = [c["name"] for c in podutil.mains(pod)]
    if len(containers) == 1:
        return containers[0]
    init = [c["name"] for c in podutil.inits(pod)]
    more = f" or one of the init containers: [{' '.join(init)}]" if init else ""
    raise BadRequest(
        f"a container name must be specified for pod {name}, choose one of: [{' '.join(containers)}]{more}"
    )


def node_of(request: Request, name: str) -> Json:
    """A node. Raises NotFound."""
    return entry_of(request, "nodes", "", name).object()


def node_target(request: Request, name: str) -> Target:
    """The kubelet of a node. Raises NotFound, ServiceUnavailable."""
    return kubelet_target(node_of(request, name), request.state.pki)
