"""ExtendedResourceToleration: pods that ask for a device may run on the nodes that are tainted with the device's name."""

from __future__ import annotations

from cluster.admission.plugin import CREATE, UPDATE, Plugin
from cluster.admission.request import Request
from kube import resourcelist
from kube.pods import podutil


class ExtendedResourceToleration(Plugin):
    operations = frozenset({CREATE, UPDATE})
    storages = frozenset({"pods"})

    def mutate(self, request: Request) -> None:
        spec = request.obj["spec"]
        devices = {
            name
            for container in podutil.all_containers(spec)
            for name in (container.get("resources") or {}).get("requests") or ()
            if resourcelist.is_extended(name)
        }
        wanted = [{"key": name, "operator": "Exists", "effect": "NoSchedule"} for name in sorted(devices)]
        tolerations = spec.get("tolerations") or []
        if missing := [toleration for toleration in wanted if toleration not in tolerations]:
            spec["tolerations"] = [*tolerations, *missing]
