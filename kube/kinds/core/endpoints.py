"""Endpoints: the addresses behind a Service, in the older form."""

from __future__ import annotations

import ipaddress
from typing import Any

from kube import columns as c
from kube.errors import FieldError, invalid, required
from kube.ipaddresses import ip_address, ip_of
from kube.kinds.core.base import CoreStrategy
from kube.objects import Json
from kube.registry import Context, Kind, Settings
from kube.validation import (
    check,
    check_choice,
    check_required,
    dns1123_label,
    dns1123_subdomain,
    port_number,
    qualified_name,
)

DEPRECATION = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
_SHOWN = 3
_PROTOCOLS = ("SCTP", "TCP", "UDP")


class EndpointsStrategy(CoreStrategy):
    create_on_update = True

    def default(self, obj: Json) -> None:
        for subset in obj.get("subsets") or ():
            for port in subset.get("ports") or ():
                port["protocol"] = port.get("protocol") or "TCP"

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        for i, subset in enumerate(obj.get("subsets") or ()):
            path, ports = f"subsets[{i}]", subset.get("ports") or []
            if not subset.get("addresses") and not subset.get("notReadyAddresses"):
                errors.append(required(path, "must specify `addresses` or `notReadyAddresses`"))
            for name in ("addresses", "notReadyAddresses"):
                for j, address in enumerate(subset.get(name) or ()):
                    at, ip = f"{path}.{name}[{j}]", address.get("ip", "")
                    wrong = check(f"{at}.ip", ip, ip_address)
                    if hostname := address.get("hostname"):
                        wrong += check(f"{at}.hostname", hostname, dns1123_label)
                    if (node := address.get("nodeName")) is not None:
                        wrong += check(f"{at}.nodeName", node, dns1123_subdomain)
                    errors += wrong or check_reachable(f"{at}.ip", ip, ctx.settings)
            for j, port in enumerate(ports):
                at, name, number = f"{path}.ports[{j}]", port.get("name", ""), port.get("port", 0)
                if name or len(ports) > 1:
                    errors += check_required(f"{at}.name", name, dns1123_label)
                errors += [invalid(f"{at}.port", number, m) for m in port_number(number)]
                errors += check_choice(f"{at}.protocol", port.get("protocol", ""), _PROTOCOLS)
                if (application := port.get("appProtocol")) is not None:
                    errors += check(f"{at}.appProtocol", application, qualified_name)
        return errors


def check_reachable(path: str, ip: str, settings: Settings) -> list[FieldError]:
    """An endpoint's address must mean the same everywhere: no loopback (unless pods live there), no link-local."""
    address = ip_of(ip)
    if address is None:
        return []
    if address.is_unspecified:
        return [invalid(path, ip, "may not be unspecified (0.0.0.0 or ::)")]
    if address.is_loopback and not ipaddress.ip_network(settings.pod_cidr).is_loopback:
        return [invalid(path, ip, "may not be in the loopback range (127.0.0.0/8, ::1/128)")]
    if address.is_link_local:
        return [invalid(path, ip, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")]
    if address.is_multicast:
        return [invalid(path, ip, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")]
    return []


def addresses(subsets: list[Json]) -> list[str]:
    """Every ready address with every port of its subset: `10.0.0.1:80`."""
    found: list[str] = []
    for subset in subsets:
        ips = [address.get("ip", "") for address in subset.get("addresses") or ()]
        if ports := subset.get("ports"):
            found += [f"[{ip}]:{p.get('port')}" if ":" in ip else f"{ip}:{p.get('port')}" for p in ports for ip in ips]
        else:
            found += ips
    return found


def _cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], c.first_of(addresses(obj.get("subsets") or []), _SHOWN), c.age(obj, now)]


KINDS = (
    Kind(
        "",
        "v1",
        "Endpoints",
        "endpoints",
        singular="endpoints",
        short_names=("ep",),
        definition="io.k8s.api.core.v1.Endpoints",
        strategy=EndpointsStrategy(),
        cells=_cells,
        deprecation=DEPRECATION,
        columns=(c.NAME, c.column("Endpoints", description="Addresses and ports that are ready."), c.AGE),
    ),
)
