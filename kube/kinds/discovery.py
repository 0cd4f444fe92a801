"""discovery.k8s.io/v1: EndpointSlice."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube.errors import FieldError, duplicate, invalid, required, too_many
from kube.ipaddresses import canonical_ip, ip_address, ip_warnings
from kube.kinds.core.endpoints import check_reachable
from kube.kinds.core.servicefamilies import family_of
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind, Settings, carry_generation, register
from kube.validation import (
    check,
    check_choice,
    check_unchanged,
    dns1123_label,
    dns1123_subdomain,
    label_value,
    qualified_name,
    repeats,
)

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
OWN_MANAGERS = ("endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io")
ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
PROTOCOLS = ("SCTP", "TCP", "UDP")
MAX_ADDRESSES, MAX_PORTS, MAX_ENDPOINTS, MAX_HINTS = 100, 20000, 1000, 8


class EndpointSliceStrategy(ObjectStrategy):
    generation = True

    def default(self, obj: Json) -> None:
        for port in obj.get("ports") or ():
            port.setdefault("name", "")
            port.setdefault("protocol", "TCP")

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        _drop_topology(obj)

    def prepare_update(self, obj: Json, old: Json, ctx: Context) -> None:
        # Labels count: they say which Service the slice belongs to.
        carry_generation(obj, old, changed=_content(obj) != _content(old))
        if obj.get("endpoints") != old.get("endpoints"):
            _drop_topology(obj)

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        return super().validate(obj, ctx) + _check_slice(obj, obj.get("endpoints") or [], ctx.settings)

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        # Endpoints that nobody touched may be of a time with other rules.
        endpoints = obj.get("endpoints") or []
        errors = _check_slice(obj, [] if endpoints == (old.get("endpoints") or []) else endpoints, ctx.settings)
        return errors + check_unchanged("addressType", obj.get("addressType"), old.get("addressType"))

    def warnings(self, obj: Json, old: Json | None, ctx: Context) -> list[str]:
        fqdn = old is None and obj.get("addressType") == "FQDN"
        found = ["spec.addressType: FQDN endpoints are deprecated"] if fqdn else []
        if (obj["metadata"].get("labels") or {}).get(MANAGED_BY) in OWN_MANAGERS:
            return found
        return found + [
            warning
            for i, endpoint in enumerate(obj.get("endpoints") or ())
            for j, address in enumerate(endpoint.get("addresses") or ())
            for warning in ip_warnings(f"endpoints[{i}].addresses[{j}]", address)
        ]


def _drop_topology(obj: Json) -> None:
    """A field that only older versions of the API write."""
    for endpoint in obj.get("endpoints") or ():
        endpoint.pop("deprecatedTopology", None)


def _check_slice(obj: Json, endpoints: list[Json], settings: Settings) -> list[FieldError]:
    kind, ports = obj.get("addressType") or "", obj.get("ports") or []
    errors = check_choice("addressType", kind, ADDRESS_TYPES) if kind else [required("addressType")]
    if len(ports) > MAX_PORTS:
        errors.append(too_many("ports", len(ports), MAX_PORTS))
    else:
        errors += _check_ports(ports)
    if len(endpoints) > MAX_ENDPOINTS:
        return [*errors, too_many("endpoints", len(endpoints), MAX_ENDPOINTS)]
    return errors + [
        e for i, endpoint in enumerate(endpoints) for e in _check_endpoint(endpoint, kind, settings, f"endpoints[{i}]")
    ]


def _check_ports(ports: list[Json]) -> list[FieldError]:
    again = set(repeats([port.get("name") or "" for port in ports]))
    errors: list[FieldError] = []
    for i, port in enumerate(ports):
        name, application = port.get("name") or "", port.get("appProtocol")
        if name:
            errors += check(f"ports[{i}].name", name, dns1123_label)
        if i in again:
            errors.append(duplicate(f"ports[{i}].name", name))
        errors += check_choice(f"ports[{i}].protocol", port.get("protocol"), PROTOCOLS)
        if application is not None:
            errors += check(f"ports[{i}].appProtocol", application, qualified_name)
    return errors


def _content(obj: Json) -> tuple[Any, ...]:
    return (
        obj["metadata"].get("labels") or {},
        obj.get("addressType"),
        obj.get("endpoints") or [],
        obj.get("ports") or [],
    )


def _check_endpoint(endpoint: Json, kind: str, settings: Settings, path: str) -> list[FieldError]:
    addresses, at = endpoint.get("addresses") or [], f"{path}.addresses"
    errors: list[FieldError] = []
    if not addresses:
        errors.append(required(at, "must contain at least 1 address"))
    elif len(addresses) > MAX_ADDRESSES:
        errors.append(too_many(at, len(addresses), MAX_ADDRESSES))
    for i, address in enumerate(addresses):
        errors += _check_address(address, kind, settings, at, i)
    if endpoint.get("nodeName") is not None:
        errors += check(f"{path}.nodeName", endpoint["nodeName"], dns1123_subdomain)
    if endpoint.get("hostname") is not None:
        errors += check(f"{path}.hostname", endpoint["hostname"], dns1123_label)
    for name, checker in (("forZones", label_value), ("forNodes", dns1123_subdomain)):
        hints = [item.get("name") or "" for item in (endpoint.get("hints") or {}).get(name) or ()]
        at = f"{path}.hints.{name}"
        if len(hints) > MAX_HINTS:
            return [*errors, too_many(at, len(hints), MAX_HINTS)]
        errors += [duplicate(f"{at}[{i}].name", hints[i]) for i in repeats(hints)]
        errors += [e for i, value in enumerate(hints) for e in check(f"{at}[{i}].name", value, checker)]
    return errors


def _check_address(address: str, kind: str, settings: Settings, path: str, i: int) -> list[FieldError]:
    """An address of the slice's type that traffic may be sent to; that of another family is told of the whole list."""
    if kind == "FQDN":
        return _check_domain(f"{path}[{i}]", address)
    if kind not in ADDRESS_TYPES:
        return []
    if wrong := check(f"{path}[{i}]", address, ip_address if kind == "IPv4" else canonical_ip):
        return wrong
    other = family_of(address) != kind
    errors = [invalid(path, address, f"must be an {kind} address")] if other else []
    return errors + check_reachable(f"{path}[{i}]", address, settings)


def _check_domain(path: str, name: str) -> list[FieldError]:
    if not name:
        return [required(path)]
    name = name.removesuffix(".")
    if wrong := dns1123_subdomain(name):
        return [invalid(path, name, ",".join(wrong))]
    if "." not in name:
        return [invalid(path, name, "should be a domain with at least two segments separated by dots")]
    return [invalid(path, label, ",".join(wrong)) for label in name.split(".") if (wrong := dns1123_label(label))]


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
