"""discovery.k8s.io/v1: EndpointSlice."""

from __future__ import annotations

import ipaddress
from typing import Any

from kube import columns as c
from kube.errors import FieldError, duplicate, invalid, not_supported, required, too_many
from kube.ipaddresses import ip_of
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind, carry_generation, register
from kube.validation import (
    check,
    check_choice,
    check_unchanged,
    dns1123_label,
    dns1123_subdomain,
    port_number,
    qualified_name,
)

ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
PROTOCOLS = ("TCP", "UDP", "SCTP")
MAX_ADDRESSES, MAX_PORTS, MAX_ENDPOINTS, MAX_HINTS = 100, 20000, 1000, 8


class EndpointSliceStrategy(ObjectStrategy):
    generation = True

    def default(self, obj: Json) -> None:
        for port in obj.get("ports") or ():
            port.setdefault("name", "")
            port["protocol"] = port.get("protocol") or "TCP"

    def prepare_update(self, obj: Json, old: Json, ctx: Context) -> None:
        # Labels count: they say which Service the slice belongs to.
        carry_generation(obj, old, changed=_content(obj) != _content(old))

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        kind = obj.get("addressType") or ""
        errors = check_choice("addressType", kind, ADDRESS_TYPES) if kind else [required("addressType")]
        endpoints, ports = obj.get("endpoints") or [], obj.get("ports") or []
        if len(endpoints) > MAX_ENDPOINTS:
            return [*errors, too_many("endpoints", len(endpoints), MAX_ENDPOINTS)]
        local = ipaddress.ip_network(ctx.settings.pod_cidr, strict=False).is_loopback
        for i, endpoint in enumerate(endpoints):
            errors += _check_endpoint(endpoint, kind, local, f"endpoints[{i}]")
        if len(ports) > MAX_PORTS:
            return [*errors, too_many("ports", len(ports), MAX_PORTS)]
        names: set[str] = set()
        for i, port in enumerate(ports):
            name, number, protocol = port.get("name") or "", port.get("port"), port.get("protocol")
            if name:
                errors += check(f"ports[{i}].name", name, dns1123_label)
            if name in names:
                errors.append(duplicate(f"ports[{i}].name", name))
            names.add(name)
            if number is not None:
                errors += [invalid(f"ports[{i}].port", number, m) for m in port_number(number)]
            if protocol not in PROTOCOLS:
                errors.append(not_supported(f"ports[{i}].protocol", protocol, PROTOCOLS))
            if port.get("appProtocol"):
                errors += check(f"ports[{i}].appProtocol", port["appProtocol"], qualified_name)
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_unchanged("addressType", obj.get("addressType"), old.get("addressType"))


def _content(obj: Json) -> tuple[Any, ...]:
    return (
        obj["metadata"].get("labels") or {},
        obj.get("addressType"),
        obj.get("endpoints") or [],
        obj.get("ports") or [],
    )


def _check_endpoint(endpoint: Json, kind: str, local: bool, path: str) -> list[FieldError]:
    addresses = endpoint.get("addresses") or []
    if not addresses:
        return [required(f"{path}.addresses", "must contain at least 1 address")]
    if len(addresses) > MAX_ADDRESSES:
        return [too_many(f"{path}.addresses", len(addresses), MAX_ADDRESSES)]
    errors = [
        e
        for i, address in enumerate(addresses)
        for e in check_endpoint_address(f"{path}.addresses[{i}]", address, kind, local)
    ]
    if endpoint.get("nodeName") is not None:
        errors += check(f"{path}.nodeName", endpoint["nodeName"], dns1123_subdomain)
    if endpoint.get("hostname") is not None:
        errors += check(f"{path}.hostname", endpoint["hostname"], dns1123_label)
    topology = endpoint.get("deprecatedTopology") or {}
    if "kubernetes.io/hostname" in topology:
        errors.append(invalid(f"{path}.deprecatedTopology", topology, "may not set the kubernetes.io/hostname key"))
    hints = endpoint.get("hints") or {}
    for name, text in (("forZones", "zone"), ("forNodes", "node")):
        items, seen = hints.get(name) or [], set()
        if len(items) > MAX_HINTS:
            errors.append(too_many(f"{path}.hints.{name}", len(items), MAX_HINTS))
            continue
        for i, item in enumerate(items):
            value = item.get("name") or ""
            at = f"{path}.hints.{name}[{i}].name"
            if value in seen:
                errors.append(duplicate(at, value))
            seen.add(value)
            errors += check(at, value, dns1123_subdomain if text == "node" else qualified_name)
    return errors


def check_endpoint_address(path: str, address: str, kind: str, local: bool = False) -> list[FieldError]:
    """An address of a slice's type that traffic may be sent to; `local` allows loopback (pods that share the host)."""
    if kind == "FQDN":
        return check(path, address, dns1123_subdomain)
    found = ip_of(address)
    if found is None:
        return [invalid(path, address, "must be a valid IP address")]
    if kind in ("IPv4", "IPv6") and found.version != int(kind[-1]):
        return [invalid(path, address, f"must be an {kind} address")]
    if found.is_unspecified:
        return [invalid(path, address, f"may not be unspecified ({address})")]
    if found.is_loopback and not local:
        return [invalid(path, address, "may not be in the loopback range (127.0.0.0/8, ::1/128)")]
    if found.is_link_local:
        return [invalid(path, address, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")]
    return []


def cells(obj: Json, now: float) -> list[Any]:
    ports = [c.or_none(p.get("name")) if p.get("port") is None else str(p["port"]) for p in obj.get("ports") or ()]
    addresses = [a for endpoint in obj.get("endpoints") or () for a in endpoint.get("addresses") or ()]
    return [
        obj["metadata"]["name"],
        obj.get("addressType", ""),
        _shorten(ports, c.UNSET),
        _shorten(addresses, c.UNSET),
        c.age(obj, now),
    ]


def _shorten(items: list[str], empty: str) -> str:
    return c.first_of(items, 3) if items else empty


register(
    Kind(
        "discovery.k8s.io",
        "v1",
        "EndpointSlice",
        "endpointslices",
        strategy=EndpointSliceStrategy(),
        definition="io.k8s.api.discovery.v1.EndpointSlice",
        cells=cells,
        columns=(
            c.NAME,
            c.column("AddressType", description="The type of address carried by this EndpointSlice."),
            c.column("Ports", description="The ports exposed by each endpoint in this slice."),
            c.column("Endpoints", description="The addresses of the endpoints in this slice."),
            c.AGE,
        ),
    )
)
