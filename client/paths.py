"""URLs of resources, and the key of an object."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

Key = tuple[str, str]

# Of nodes whose kubelets one server plays: where it tells what this one uses. metrics-server reads it, KWOK's nodes have it.
RESOURCE_METRICS_PATH = "metrics.k8s.io/resource-metrics-path"
_RESOURCE_METRICS = re.compile(r"((?:/[\w.~-]+)*)/metrics/resource")


def resource_path(api_version: str, plural: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """`("apps/v1", "deployments", "web", "front", "status")` -> `/apis/apps/v1/namespaces/web/deployments/front/status`."""
    parts = ["/api/" + api_version if "/" not in api_version else "/apis/" + api_version]
    if namespace:
        parts += ["namespaces", quote(namespace, safe="")]
    parts.append(plural)
    if name:
        parts.append(quote(name, safe=""))
    if subresource:
        parts.append(subresource)
    return "/".join(parts)


def object_key(obj: dict[str, Any]) -> Key:
    """`(namespace, name)`; the namespace of a cluster-scoped object is empty."""
    metadata = obj.get("metadata") or {}
    return metadata.get("namespace") or "", metadata.get("name") or ""


def kubelet_port(node: Mapping[str, Any]) -> int:
    """The port that a node says its kubelet listens on; 0: it names none."""
    endpoint = ((node.get("status") or {}).get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}
    return endpoint.get("Port") or 0


def kubelet_prefix(node: Mapping[str, Any]) -> str:
    """What comes before the paths of a node's kubelet: nothing, or as its annotation says, `/metrics/nodes/sim-7`."""
    found = _RESOURCE_METRICS.fullmatch((node["metadata"].get("annotations") or {}).get(RESOURCE_METRICS_PATH, ""))
    return found[1] if found else ""
