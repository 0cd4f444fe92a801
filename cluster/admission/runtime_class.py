"""RuntimeClass: a pod gets the overhead, node selector and tolerations of its runtime."""

from __future__ import annotations

from cluster.admission.plugin import Plugin
from cluster.admission.request import Request
from kube import quantity
from kube.objects import Json


class RuntimeClass(Plugin):
    storages = frozenset({"pods"})

    def mutate(self, request: Request) -> None:
        spec = request.obj["spec"]
        name = spec.get("runtimeClassName")
        if not name:
            return
        entry = request.find("runtimeclasses.node.k8s.io", name)
        if entry is None:
            raise request.forbid(f'pod rejected: RuntimeClass "{name}" not found')
        runtime = entry.object()
        overhead, given = (runtime.get("overhead") or {}).get("podFixed") or {}, spec.get("overhead")
        if given and _amounts(given) != _amounts(overhead):
            raise request.forbid("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
        if overhead:
            spec["overhead"] = dict(overhead)
        scheduling = runtime.get("scheduling") or {}
        selector = spec.get("nodeSelector") or {}
        for key, value in (scheduling.get("nodeSelector") or {}).items():
            if selector.get(key, value) != value:
                raise request.forbid(
                    f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                    f"pod.spec.nodeSelector[{key}] = {selector[key]}"
                )
            selector = {**selector, key: value}
        if selector:
            spec["nodeSelector"] = selector
        tolerations = list(spec.get("tolerations") or ())
        tolerations += [t for t in scheduling.get("tolerations") or () if t not in tolerations]
        if tolerations:
            spec["tolerations"] = tolerations

    def validate(self, request: Request) -> None:
        spec = request.obj["spec"]
        if not spec.get("runtimeClassName") and spec.get("overhead") is not None:
            raise request.forbid("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")


def _amounts(resources: Json) -> dict[str, int]:
    return {name: quantity.parse(value).nano for name, value in resources.items()}
