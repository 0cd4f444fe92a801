"""ServiceCIDR and IPAddress: the ranges that Services take their addresses from, and the addresses taken."""

from __future__ import annotations

from typing import Any

from kube import columns as c
from kube import selectors
from kube.errors import FieldError, invalid, required
from kube.ipaddresses import canonical_cidr, canonical_ip, network_of
from kube.kinds.rbac import path_segment
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import IMMUTABLE, check, check_required, dns1123_subdomain

MAX_CIDRS = 2


class ServiceCIDRStrategy(ObjectStrategy):
    namespaced = False
    status = True

    def validate(self, obj: Json, ctx: Context) -> list[FieldError]:
        return super().validate(obj, ctx) + _check_ranges(obj)

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        new, before = ((o.get("spec") or {}).get("cidrs") or [] for o in (obj, old))
        added = len(before) == 1 and len(new) == MAX_CIDRS  # a second family, to a range that has one
        if not added and len(new) != len(before):
            return [invalid("spec.cidrs", new, IMMUTABLE)]
        errors = [
            invalid(f"spec.cidrs[{i}]", text, IMMUTABLE)
            for i, (text, was) in enumerate(zip(new, before, strict=False))
            if text != was
        ]
        return errors + (_check_ranges(obj) if added else [])


def _check_ranges(obj: Json) -> list[FieldError]:
    path, ranges = "spec.cidrs", (obj.get("spec") or {}).get("cidrs") or []
    if not ranges:
        return [required(path, "at least one CIDR required")]
    if len(ranges) > MAX_CIDRS:
        return [invalid(path, obj.get("spec"), f"may only hold up to {MAX_CIDRS} values")]
    errors = [error for i, text in enumerate(ranges) for error in check(f"{path}[{i}]", text, canonical_cidr)]
    networks = [network_of(text) for text in ranges]
    if len(ranges) == MAX_CIDRS and all(networks) and len({network.version for network in networks if network}) == 1:
        message = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        errors.append(invalid(path, ranges, message))
    return errors


class IPAddressStrategy(ObjectStrategy):
    namespaced = False
    whole_first = True
    name_check = staticmethod(canonical_ip)

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        parent, path = (obj.get("spec") or {}).get("parentRef"), "spec.parentRef"
        if parent is None:
            return [required(path)]
        errors: list[FieldError] = []
        if parent.get("group"):
            errors += check(f"{path}.group", parent["group"], dns1123_subdomain)
        for name in ("resource", "name"):
            value = parent.get(name)
            errors += check_required(f"{path}.{name}", value, path_segment)
        if parent.get("namespace"):
            errors += check(f"{path}.namespace", parent["namespace"], path_segment)
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        new, before = ((o.get("spec") or {}).get("parentRef") for o in (obj, old))
        return [] if new == before else [invalid("spec.parentRef", new, IMMUTABLE)]


def cidr_cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], ",".join((obj.get("spec") or {}).get("cidrs") or ()), c.age(obj, now)]


def address_cells(obj: Json, now: float) -> list[Any]:
    parent = (obj.get("spec") or {}).get("parentRef")
    if not parent:
        return [obj["metadata"]["name"], c.NONE]
    text = "/".join(parent[name] for name in ("resource", "namespace", "name") if parent.get(name))
    return [obj["metadata"]["name"], f"{parent['group']}.{text}" if parent.get("group") else text]


SERVICE_CIDR = Kind(
    "networking.k8s.io",
    "v1",
    "ServiceCIDR",
    "servicecidrs",
    namespaced=False,
    subresources=("status",),
    strategy=ServiceCIDRStrategy(),
    definition="io.k8s.api.networking.v1.ServiceCIDR",
    cells=cidr_cells,
    columns=(c.NAME, c.column("CIDRs", description="The ranges, one for each family of addresses."), c.AGE),
)
IP_ADDRESS = Kind(
    "networking.k8s.io",
    "v1",
    "IPAddress",
    "ipaddresses",
    namespaced=False,
    short_names=("ip",),
    strategy=IPAddressStrategy(),
    definition="io.k8s.api.networking.v1.IPAddress",
    cells=address_cells,
    columns=(c.NAME, c.column("ParentRef", description="The resource that holds the address.")),
    fields={"spec.parentRef.name": selectors.field("spec", "parentRef", "name")},
)
