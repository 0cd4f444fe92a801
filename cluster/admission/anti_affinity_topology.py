"""LimitPodHardAntiAffinityTopology: no pod keeps all others out of a whole zone."""

from __future__ import annotations

from cluster.admission.plugin import CREATE, UPDATE, Plugin
from cluster.admission.request import Request

HOSTNAME = "kubernetes.io/hostname"


class LimitPodHardAntiAffinityTopology(Plugin):
    operations = frozenset({CREATE, UPDATE})
    storages = frozenset({"pods"})

    def validate(self, request: Request) -> None:
        apart = (request.obj["spec"].get("affinity") or {}).get("podAntiAffinity") or {}
        for term in apart.get("requiredDuringSchedulingIgnoredDuringExecution") or ():
            if term.get("topologyKey") != HOSTNAME:
                raise request.forbid(
                    "affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey "
                    f"{term.get('topologyKey')} but only key {HOSTNAME} is allowed"
                )
