"""Host ports of pods: ports of this node that lead to one pod each, as node ports lead to a service."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING

from kube.objects import Json
from kube.pods import podutil
from kubeproxy.rules import PROTOCOLS, Endpoint, ServicePort

if TYPE_CHECKING:
    from kube.shapes import PodLike

EVERYWHERE = ("", "0.0.0.0")


def keep(pod: PodLike) -> Json:
    """What is kept of a pod: `ports`, a list of (host address, host port, protocol, pod address, container port)."""
    metadata = {name: pod["metadata"].get(name, "") for name in ("namespace", "name", "uid", "resourceVersion")}
    return {"metadata": metadata, "ports": list(_ports(pod))}


def _ports(pod: PodLike) -> Iterable[tuple[str, int, str, str, int]]:
    spec, ip = pod["spec"], (pod.get("status") or {}).get("podIP") or ""
    # Pods in the host's network have its ports themselves; those that ended or have no address yet serve nothing.
    if spec.get("hostNetwork") or not ip or ":" in ip or podutil.finished(pod):
        return
    # Where pods share the machine's network, a process that listens everywhere has the port itself.
    shared = ipaddress.ip_address(ip).is_loopback
    for container in podutil.lasting(spec):
        for port in container.get("ports") or ():
            number, inside = port.get("hostPort"), port["containerPort"]
            protocol = port.get("protocol") or "TCP"
            if number and protocol in PROTOCOLS and not (shared and number == inside):
                yield port.get("hostIP") or "", number, protocol, ip, inside


def host_ports(kept: Iterable[Json]) -> list[ServicePort]:
    """The host ports of these pods (as `keep` made them), sorted by name."""
    found = []
    for pod in kept:
        meta = pod["metadata"]
        for address, number, protocol, ip, inside in pod["ports"]:
            everywhere = address in EVERYWHERE
            found.append(
                ServicePort(
                    name=f"{meta['namespace']}/{meta['name']}:host-{number}",
                    protocol=protocol,
                    port=number,
                    addresses=(),
                    external_addresses=() if everywhere else (address,),
                    node_port=number if everywhere else 0,
                    affinity_seconds=0,
                    internal=(),
                    external=(Endpoint(ip, inside, True),),
                    kind="Pod",
                )
            )
    return sorted(found, key=lambda port: (port.name, port.protocol))
