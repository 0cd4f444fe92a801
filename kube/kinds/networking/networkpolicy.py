"""NetworkPolicy."""

from __future__ import annotations

import ipaddress
from typing import Any

from kube import columns as c
from kube.errors import FieldError, forbidden, invalid, not_supported, required
from kube.ipaddresses import cidr, cidr_warnings
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import check, check_label_selector, check_required, port_name, port_number

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

PROTOCOLS = ("TCP", "UDP", "SCTP")
TYPES = ("Ingress", "Egress")


class NetworkPolicyStrategy(ObjectStrategy):
    generation = True

    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("podSelector", {})
        for direction in ("ingress", "egress"):
            for rule in spec.get(direction) or ():
                for port in rule.get("ports") or ():
                    port["protocol"] = port.get("protocol") or "TCP"
        if not spec.get("policyTypes"):
            spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        errors = check_label_selector("spec.podSelector", spec["podSelector"])
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for i, rule in enumerate(spec.get(direction) or ()):
                path = f"spec.{direction}[{i}]"
                for j, port in enumerate(rule.get("ports") or ()):
                    errors += _check_port(port, f"{path}.ports[{j}]")
                for j, peer in enumerate(rule.get(side) or ()):
                    errors += _check_peer(peer, f"{path}.{side}[{j}]")
        types = spec["policyTypes"]
        if len(types) > len(TYPES):
            return [*errors, invalid("spec.policyTypes", types, "may not specify more than two policyTypes")]
        return errors + [
            not_supported(f"spec.policyTypes[{i}]", kind, TYPES) for i, kind in enumerate(types) if kind not in TYPES
        ]

    def warnings(self, obj: Json, old: Json | None, ctx: Context) -> list[str]:
        return [
            warning
            for direction, side in (("ingress", "from"), ("egress", "to"))
            for i, rule in enumerate(obj["spec"].get(direction) or ())
            for j, peer in enumerate(rule.get(side) or ())
            for warning in _block_warnings(peer.get("ipBlock") or {}, f"spec.{direction}[{i}].{side}[{j}].ipBlock")
        ]


def _block_warnings(block: Json, path: str) -> list[str]:
    found = cidr_warnings(f"{path}.cidr", block["cidr"]) if block else []
    excepted = enumerate(block.get("except") or ())
    return found + [warning for i, text in excepted for warning in cidr_warnings(f"{path}.except[{i}]", text)]


def _check_port(item: Json, path: str) -> list[FieldError]:
    port, end, protocol = item.get("port"), item.get("endPort"), item.get("protocol")
    errors: list[FieldError] = []
    if protocol not in PROTOCOLS:
        errors.append(not_supported(f"{path}.protocol", protocol, PROTOCOLS))
    if isinstance(port, str):
        if end is not None:
            errors.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric"))
        errors += [invalid(f"{path}.port", port, m) for m in port_name(port)]
    elif port is not None:
        errors += [invalid(f"{path}.port", port, m) for m in port_number(port)]
        if end is not None and end < port:
            errors.append(invalid(f"{path}.endPort", port, "must be greater than or equal to `port`"))
        if end is not None:
            errors += [invalid(f"{path}.endPort", end, m) for m in port_number(end)]
    elif end is not None:
        errors.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified"))
    return errors


def _check_peer(peer: Json, path: str) -> list[FieldError]:
    pods, namespaces, block = (peer.get(name) for name in ("podSelector", "namespaceSelector", "ipBlock"))
    errors = check_label_selector(f"{path}.podSelector", pods)
    errors += check_label_selector(f"{path}.namespaceSelector", namespaces)
    if block is not None:
        at, text = f"{path}.ipBlock", block.get("cidr") or ""
        wrong = check_required(f"{at}.cidr", text, cidr)
        errors += wrong
        for i, item in enumerate([] if wrong else block.get("except") or []):
            if malformed := check(f"{at}.except[{i}]", item, cidr):
                errors += malformed
            elif not _inside(ipaddress.ip_network(item, strict=False), ipaddress.ip_network(text, strict=False)):
                errors.append(invalid(f"{at}.except[{i}]", item, "must be a strict subset of `cidr`"))
    if pods is None and namespaces is None and block is None:
        errors.append(required(path, "must specify a peer"))
    elif block is not None and (pods is not None or namespaces is not None):
        errors.append(forbidden(path, "may not specify both ipBlock and another peer"))
    return errors


def _inside(inner: IPNetwork, outer: IPNetwork) -> bool:
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner != outer and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner != outer and inner.subnet_of(outer)


def cells(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], c.selector((obj.get("spec") or {}).get("podSelector")), c.age(obj, now)]


KIND = Kind(
    "networking.k8s.io",
    "v1",
    "NetworkPolicy",
    "networkpolicies",
    short_names=("netpol",),
    strategy=NetworkPolicyStrategy(),
    definition="io.k8s.api.networking.v1.NetworkPolicy",
    cells=cells,
    columns=(c.NAME, c.column("Pod-Selector", description="Selects the pods to which this policy applies."), c.AGE),
)
