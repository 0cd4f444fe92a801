"""NodeMetrics and PodMetrics: asked and answered, never stored."""

from __future__ import annotations

from typing import Any

from cluster.cache import Cache
from cluster.store import Key
from kube import quantity
from kube.objects import Json
from kube.registry import Column, Kind

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
WINDOW = "10s"  # over which kubelets take rates

_COLUMNS = (
    Column("Name", "string", "name", "Name of the resource"),
    Column("cpu", "string", "quantity", ""),
    Column("memory", "string", "quantity", ""),
    Column("Window", "string", "duration", ""),
)


def usage(cpu: int, memory: int) -> Json:
    """Nanocores and bytes as quantities."""
    return {"cpu": f"{cpu}n" if cpu else "0", "memory": f"{memory // 1024}Ki"}


def cells(obj: Json, now: float) -> list[Any]:
    parts = [c["usage"] for c in obj["containers"]] if "containers" in obj else [obj["usage"]]
    cpu = sum(quantity.parse(part["cpu"]).nano for part in parts)
    memory = sum(quantity.units(part["memory"]) for part in parts)
    return [obj["metadata"]["name"], f"{cpu}n" if cpu else "0", f"{memory // 1024}Ki", obj["window"]]


def _kind(kind: str, plural: str, namespaced: bool) -> Kind:
    return Kind(
        GROUP,
        VERSION,
        kind,
        plural,
        namespaced=namespaced,
        verbs=("get", "list"),
        cells=cells,
        columns=_COLUMNS,
        definition=f"io.k8s.metrics.pkg.apis.metrics.v1beta1.{kind}",
    )


NODES = _kind("NodeMetrics", "nodes", False)
PODS = _kind("PodMetrics", "pods", True)
KINDS = (NODES, PODS)
_API_SERVICE = Key("apiservices.apiregistration.k8s.io", "", f"{VERSION}.{GROUP}")


def served(cache: Cache) -> bool:
    """Whether this server answers for the group: its APIService (of the addon `metrics`) says so by naming no service."""
    entry = cache.get(_API_SERVICE)
    return entry is not None and not (entry.object().get("spec") or {}).get("service")
