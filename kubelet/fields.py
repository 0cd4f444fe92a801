"""What `fieldRef` and `resourceFieldRef` name, for variables and for downwardAPI files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kube import quantity
from kube.objects import Json
from kube.pods import podutil
from kubelet.runtimes.base import ConfigError

if TYPE_CHECKING:
    from kube.shapes import ContainerLike, PodLike

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


@dataclass(frozen=True)
class PodFacts:
    """What is known of a pod beyond its object, when its containers start."""

    ip: str
    host_ip: str
    node_cpu_millis: int
    node_memory: int


def field(pod: PodLike, path: str, facts: PodFacts) -> str:
    """The text of a field; ConfigError for a path that cannot be had."""
    metadata: Mapping[str, Any] = pod["metadata"]
    spec = pod["spec"]
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript is not None:
        return str((metadata.get(subscript[1]) or {}).get(subscript[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        # One `key="value"` a line, quotes and newlines escaped.
        values: dict[str, str] = metadata.get(path.removeprefix("metadata.")) or {}
        escaped = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
        return "\n".join(f'{key}="{values[key].translate(escaped)}"' for key in sorted(values))
    simple = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.hostIP": facts.host_ip,
        "status.hostIPs": facts.host_ip,
        "status.podIP": facts.ip,
        "status.podIPs": facts.ip,
    }
    if path not in simple:
        raise ConfigError(f"fieldPath {path!r} is not one a container can refer to")
    return str(simple[path])


def resource(pod: PodLike, selector: Json, container: ContainerLike, facts: PodFacts) -> str:
    """The value of `limits.cpu` and its like, in units of the divisor; the node's capacity where no limit is set."""
    named = selector.get("containerName")
    if named:
        container = podutil.container(pod, named) or container
    section, _, name = str(selector["resource"]).partition(".")
    resources: Mapping[str, Any] = container.get("resources") or {}
    value = (resources.get(section) or {}).get(name)
    if value is None and section == "limits":
        value = {"cpu": f"{facts.node_cpu_millis}m", "memory": facts.node_memory}.get(name)
    return str(quantity.units(value or 0, selector.get("divisor") or 1))
