"""Objects for the scheduler's tests, short to write."""

from __future__ import annotations

import itertools
from typing import Any

from kube.objects import Json
from scheduler.framework import Framework
from scheduler.nodes import NodeTable
from scheduler.plugins import default_plugins
from scheduler.pods import PodInfo, pod_info

_serial = itertools.count()


class Shelf:
    """Listers over a dictionary of (storage, namespace, name)."""

    def __init__(self, **objects: list[Json]) -> None:
        self._objects = {name.replace("__", "."): found for name, found in objects.items()}

    def get(self, storage: str, namespace: str, name: str) -> Json | None:
        return next((o for o in self.list(storage, namespace or None) if o["metadata"]["name"] == name), None)

    def list(self, storage: str, namespace: str | None = None) -> list[Json]:
        return [
            o
            for o in self._objects.get(storage, [])
            if namespace is None or o["metadata"].get("namespace") == namespace
        ]


def node(
    name: str,
    *,
    cpu: str = "8",
    memory: str = "16Gi",
    pods: str = "110",
    labels: Json | None = None,
    taints: list[Json] | None = None,
    unschedulable: bool = False,
    **allocatable: str,
) -> Json:
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": {"taints": taints or [], "unschedulable": unschedulable},
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": pods, **allocatable}},
    }


def pod(
    name: str = "",
    *,
    labels: Json | None = None,
    requests: Json | None = None,
    node: str = "",
    uid: str = "",
    namespace: str = "default",
    owner: Json | None = None,
    ports: list[Json] | None = None,
    **spec: Any,
) -> Json:
    name = name or f"pod-{next(_serial)}"
    container = {"name": "main", "image": "a:1", "resources": {"requests": requests or {}}, "ports": ports or []}
    meta = {
        "name": name,
        "namespace": namespace,
        "uid": uid or f"uid-{name}",
        "labels": labels or {},
        **({"ownerReferences": [owner]} if owner else {}),
    }
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": meta,
        "spec": {"containers": [container], **({"nodeName": node} if node else {}), **spec},
    }


def info(*args: Any, **kwargs: Any) -> PodInfo:
    return pod_info(pod(*args, **kwargs))


def table(*nodes: Json, pods: list[Json] | None = None) -> NodeTable:
    made = NodeTable(capacity=2)
    for each in nodes:
        made.put_node(each)
    for each in pods or []:
        made.put_pod(pod_info(each))
    return made


def framework(shelf: Shelf | None = None) -> Framework:
    return Framework(default_plugins(shelf or Shelf()), seed=1)


def required_affinity(key: str, *values: str) -> Json:
    term = {"matchExpressions": [{"key": key, "operator": "In", "values": list(values)}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


def pod_term(labels: Json, topology: str = "kubernetes.io/hostname", **more: Any) -> Json:
    return {"labelSelector": {"matchLabels": labels}, "topologyKey": topology, **more}


def apart(*terms: Json) -> Json:
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}


def near(*terms: Json) -> Json:
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}
