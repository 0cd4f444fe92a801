"""What has to be forwarded where: service ports and their endpoints, computed from Services and EndpointSlices.

Pure functions: no packet filter, no sockets. The backends turn the result into rules or listeners.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from kube.objects import Json

PROTOCOLS = {"TCP", "UDP", "SCTP"}


class Endpoint(NamedTuple):
    """An address that serves a port. `local`: on this node."""

    ip: str
    port: int
    local: bool = False


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of one service, and who serves it.

    `addresses` are all IPs that lead to it (cluster, external, load balancer). `node_port` is 0 for none.
    `affinity_seconds` is 0 without session affinity. `internal` serves the cluster IP, `external` everything else.
    `kind` is that of the object which `name` begins with.
    """

    name: str
    protocol: str
    port: int
    addresses: tuple[str, ...]
    external_addresses: tuple[str, ...]
    node_port: int
    affinity_seconds: int
    internal: tuple[Endpoint, ...]
    external: tuple[Endpoint, ...]
    kind: str = "Service"


def service_ports(services: Iterable[Json], slices: Iterable[Json], node: str) -> list[ServicePort]:
    """Every IPv4 service port that has an address of its own, sorted by name."""
    by_service: defaultdict[tuple[str, str], list[Json]] = defaultdict(list)
    for piece in slices:
        meta = piece["metadata"]
        owner = (meta.get("labels") or {}).get("kubernetes.io/service-name")
        if owner and piece.get("addressType") == "IPv4":
            by_service[meta["namespace"], owner].append(piece)
    found = []
    for service in services:
        meta = service["metadata"]
        if is_forwarded(service):
            found += _ports_of(service, by_service.get((meta["namespace"], meta["name"]), []), node)
    return sorted(found, key=lambda port: (port.name, port.protocol))


def is_forwarded(service: Json) -> bool:
    """Headless services and external names have no address to forward; others may ask for another proxy."""
    spec = service["spec"]
    ip = spec.get("clusterIP")
    labels = service["metadata"].get("labels") or {}
    return bool(
        ip
        and ip != "None"
        and ":" not in ip
        and spec.get("type") != "ExternalName"
        and "service.kubernetes.io/service-proxy-name" not in labels
    )


def _ports_of(service: Json, slices: list[Json], node: str) -> list[ServicePort]:
    meta, spec = service["metadata"], service["spec"]
    affinity = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds") or 10800
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    external = [*(spec.get("externalIPs") or []), *(i["ip"] for i in ingress if i.get("ip"))]
    ports = []
    for port in spec.get("ports") or []:
        protocol = port.get("protocol", "TCP")
        if protocol not in PROTOCOLS:
            continue
        endpoints = _endpoints(slices, port.get("name") or "", protocol, node)
        ports.append(
            ServicePort(
                name=f"{meta['namespace']}/{meta['name']}:{port.get('name') or port['port']}",
                protocol=protocol,
                port=port["port"],
                addresses=(spec["clusterIP"],),
                external_addresses=tuple(sorted({ip for ip in external if _is_ipv4(ip)})),
                node_port=port.get("nodePort") or 0,
                affinity_seconds=affinity if spec.get("sessionAffinity") == "ClientIP" else 0,
                internal=_by_policy(endpoints, spec.get("internalTrafficPolicy")),
                external=_by_policy(endpoints, spec.get("externalTrafficPolicy")),
            )
        )
    return ports


def _is_ipv4(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 4
    except ValueError:
        return False


def _by_policy(endpoints: tuple[Endpoint, ...], policy: str | None) -> tuple[Endpoint, ...]:
    return tuple(e for e in endpoints if e.local) if policy == "Local" else endpoints


def _endpoints(slices: list[Json], port_name: str, protocol: str, node: str) -> tuple[Endpoint, ...]:
    """The ready endpoints; when there is none, those that still serve while they terminate."""
    ready, terminating = set(), set()
    for piece in slices:
        ports = [p for p in piece.get("ports") or () if (p.get("name") or "") == port_name]
        number = next((p.get("port") for p in ports if p.get("protocol", "TCP") == protocol), None)
        if number is None:
            continue
        for endpoint in piece.get("endpoints") or []:
            conditions = endpoint.get("conditions") or {}
            local = endpoint.get("nodeName") == node
            where = {Endpoint(ip, number, local) for ip in endpoint.get("addresses") or [] if _is_ipv4(ip)}
            if conditions.get("ready") is not False:
                ready |= where
            elif conditions.get("serving") and conditions.get("terminating"):
                terminating |= where
    return tuple(sorted(ready or terminating))
