"""ServiceCIDR and IPAddress: the ranges that Services take their addresses from, and the addresses taken."""

from __future__ import annotations

import ipaddress
from typing import Any

from kube import columns as c
from kube import selectors
from kube.errors import FieldError, invalid, required, too_many
from kube.ipaddresses import cidr, ip_of
from kube.kinds.rbac import path_segment
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import check, check_required, dns1123_label, dns1123_subdomain

MAX_CIDRS = 2


def canonical_ip(value: str) -> list[str]:
    """The name of an IPAddress: an address in the one form that stands for it."""
    found = ip_of(value)
    if found is None:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return [] if str(found) == value else [f'must be in canonical form ("{found}")']


class ServiceCIDRStrategy(ObjectStrategy):
    namespaced = False
    status = True

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        ranges = (obj.get("spec") or {}).get("cidrs") or []
        if not ranges:
            return [required("spec.cidrs", "at least one CIDR required")]
        if len(ranges) > MAX_CIDRS:
            return [
                invalid("spec", obj.get("spec"), f"may only hold up to {MAX_CIDRS} values"),
                too_many("spec.cidrs", len(ranges), MAX_CIDRS),
            ]
        errors: list[FieldError] = []
        for i, text in enumerate(ranges):
            wrong = check(f"spec.cidrs[{i}]", text, cidr)
            if not wrong and str(network := ipaddress.ip_network(text, strict=False)) != text:
                wrong = [invalid(f"spec.cidrs[{i}]", text, f'must be in canonical form ("{network}")')]
            errors += wrong
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        new, before = ((o.get("spec") or {}).get("cidrs") or [] for o in (obj, old))
        # A second family may be added to a range that has one.
        if new == before or (len(before) == 1 and len(new) == MAX_CIDRS and new[0] == before[0]):
            return []
        return [invalid("spec.cidrs[0]" if len(before) == 1 else "spec.cidrs", new, "field is immutable")]


class IPAddressStrategy(ObjectStrategy):
    namespaced = False
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
            errors += check(f"{path}.namespace", parent["namespace"], dns1123_label)
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        new, before = ((o.get("spec") or {}).get("parentRef") for o in (obj, old))
        return [] if new == before else [invalid("spec.parentRef", new, "field is immutable")]


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
