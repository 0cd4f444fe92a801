"""URLs of resources, and the key of an object."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

Key = tuple[str, str]


def resource_path(
    api_version: str, plural: str, namespace: str = "", name: str = "", subresource: str = ""
) -> str:
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
