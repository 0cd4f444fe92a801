"""Cluster IPs and node ports of Services: which are needed, kept, dropped, and handed out.

A free value is chosen at random and claimed in the store by the write itself; if somebody was faster, the verb prepares
the object anew. As in Kubernetes the lower part of a range is left for values that users choose.
"""

from __future__ import annotations

import ipaddress
import random

from kube.errors import FieldError, invalid
from kube.kinds.core.servicefamilies import network, settle
from kube.objects import Json
from kube.registry import Context

NEEDS_IP = ("ClusterIP", "NodePort", "LoadBalancer")
_TRIES = 64


def needs_node_ports(spec: Json) -> bool:
    """Whether the ports of a Service are opened on every node."""
    kind = spec.get("type")
    return kind == "NodePort" or (kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False)


def needs_health_port(spec: Json) -> bool:
    """Whether nodes tell a load balancer if they have pods of the Service."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def may_have_node_ports(spec: Json) -> bool:
    return spec.get("type") in ("NodePort", "LoadBalancer")


def is_external(spec: Json) -> bool:
    """Whether a Service is reached from outside the cluster: then it has a policy for that traffic."""
    return may_have_node_ports(spec) or (spec.get("type") == "ClusterIP" and bool(spec.get("externalIPs")))


def carry_over(new: Json, old: Json) -> None:
    """What was handed out stays when an update leaves it out."""
    if "ExternalName" not in (new["type"], old.get("type")):
        if not new.get("clusterIP"):
            new["clusterIP"] = old.get("clusterIP", "")
        if not new.get("clusterIPs") and old.get("clusterIPs"):
            new["clusterIPs"] = list(old["clusterIPs"])
    if needs_node_ports(new) and needs_node_ports(old):
        ports = new.get("ports") or ()
        before = {p.get("name", ""): p.get("nodePort") for p in old.get("ports") or ()}
        used = {port.get("nodePort") for port in ports} & set(before.values())
        for port in ports:
            kept = before.get(port.get("name", ""))
            if not port.get("nodePort") and kept and kept not in used:
                port["nodePort"] = kept
    if needs_health_port(new) and needs_health_port(old) and not new.get("healthCheckNodePort"):
        new["healthCheckNodePort"] = old.get("healthCheckNodePort", 0)


def align_cluster_ips(new: Json, old: Json) -> None:
    """A client that knows only `clusterIP` changes `clusterIPs` with it."""
    if new.get("clusterIP") == old.get("clusterIP"):
        return
    if new.get("clusterIP") and _unchanged(new, old, "clusterIPs"):
        new["clusterIPs"] = [new["clusterIP"]]


def drop_foreign(new: Json, old: Json) -> None:
    """What a change of type leaves behind goes, unless the client changed it as well."""
    if new["type"] == "ExternalName" != old.get("type"):
        if _unchanged(new, old, "clusterIP", "clusterIPs"):
            for name in ("clusterIP", "clusterIPs"):
                new.pop(name, None)
        for name in ("ipFamilies", "ipFamilyPolicy"):
            if _unchanged(new, old, name):
                new.pop(name, None)
    if may_have_node_ports(old) and not may_have_node_ports(new) and _node_ports(new) <= _node_ports(old):
        for port in new.get("ports") or ():
            port.pop("nodePort", None)
    if is_external(old) and not is_external(new) and _unchanged(new, old, "externalTrafficPolicy"):
        new.pop("externalTrafficPolicy", None)
    if needs_health_port(old) and not needs_health_port(new) and _unchanged(new, old, "healthCheckNodePort"):
        new.pop("healthCheckNodePort", None)
    if old.get("type") == "LoadBalancer" != new["type"]:
        for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if _unchanged(new, old, name):
                new.pop(name, None)


def _node_ports(spec: Json) -> set[int]:
    return {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}


def _unchanged(new: Json, old: Json, *names: str) -> bool:
    return all((new.get(name) or None) == (old.get(name) or None) for name in names)


def allocate(obj: Json, old: Json | None, ctx: Context) -> list[FieldError]:
    """Fill in what the server decides: families, cluster IP, node ports; `old` is the object before.

    Returns why what the user chose cannot be had. Nothing else is told of a Service then.
    """
    spec, before, owner = obj["spec"], (old or {}).get("spec") or {}, obj["metadata"].get("uid", "")
    if spec["type"] != "ExternalName":
        errors = settle(spec, before, ctx) or _allocate_address(spec, before, ctx, owner)
        if errors:
            return errors
    if may_have_node_ports(spec):
        if errors := _check_node_ports(spec, before, ctx, owner):
            return errors
        if needs_node_ports(spec):
            _assign_node_ports(spec.get("ports") or [], ctx, owner)
    if needs_health_port(spec) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = free_port(ctx, owner, _node_ports(spec))
    return []


def _allocate_address(spec: Json, before: Json, ctx: Context, owner: str) -> list[FieldError]:
    addresses = spec.get("clusterIPs") or []
    if "None" in addresses[:1] or before.get("clusterIPs"):
        return []
    if addresses:
        return _check_address(addresses, ctx, owner)
    spec["clusterIP"] = free_address(ctx, owner)
    spec["clusterIPs"] = [spec["clusterIP"]]
    return []


def _check_node_ports(spec: Json, before: Json, ctx: Context, owner: str) -> list[FieldError]:
    """Node ports that the user chose are free and in the range. For a dry run it is enough that they are free.

    One stands twice only for one port over several protocols; of a Service that is changed, that is judged later.
    """
    first, last = ctx.settings.node_port_range
    kept, ports_of = _node_ports(before), dict[int, int]()
    for i, port in enumerate(spec.get("ports") or ()):
        number, service_port = port.get("nodePort") or 0, port.get("port", 0)
        if not number or number in kept or ports_of.get(number) == service_port:
            continue
        path = f"spec.ports[{i}].nodePort"
        if not ctx.dry_run and not first <= number <= last:
            message = f"provided port is not in the valid range. The range of valid ports is {first}-{last}"
            return [invalid(path, number, message)]
        if is_port_held(ctx, number, owner) or (number in ports_of and not before):
            return [invalid(path, number, "provided port is already allocated")]
        ports_of[number] = service_port
    return []


def _assign_node_ports(ports: list[Json], ctx: Context, owner: str) -> None:
    """A port number served over several protocols gets one node port for all of them."""
    used = {port["nodePort"]: port.get("protocol") for port in ports if port.get("nodePort")}
    given: dict[int, tuple[int, set[str]]] = {}
    for port in ports:
        if port.get("nodePort"):
            given[port.get("port", 0)] = (port["nodePort"], {port["protocol"]})
    for port in ports:
        if port.get("nodePort"):
            continue
        number, protocols = given.get(port.get("port", 0), (0, set()))
        if not number or port["protocol"] in protocols:
            number, protocols = free_port(ctx, owner, set(used)), set()
        port["nodePort"] = number
        used[number] = port["protocol"]
        given[port.get("port", 0)] = (number, protocols | {port["protocol"]})


def _holder(ctx: Context, owner: str, *needles: bytes) -> bool:
    """Whether another Service's JSON contains one of the texts."""
    if ctx.cache is None:
        return False
    own = f'"uid":"{owner}"'.encode()
    return any(
        needle in entry.body
        for entry in ctx.cache.list("services")
        for needle in needles
        if not owner or own not in entry.body
    )


def is_address_held(ctx: Context, address: str, owner: str) -> bool:
    """Whether another Service has this cluster IP."""
    return _holder(ctx, owner, f'"clusterIP":"{address}"'.encode())


def is_port_held(ctx: Context, port: int, owner: str) -> bool:
    """Whether another Service has this node port (or health check port)."""
    return _holder(ctx, owner, f'odePort":{port},'.encode(), f'odePort":{port}}}'.encode())


def free_address(ctx: Context, owner: str) -> str:
    """A cluster IP that nobody seems to hold, from the upper part of the range."""
    block = network(ctx.settings.service_cidr)
    size = min(block.num_addresses, 1 << 16)
    low = min(max(16, size // 16), 256)
    if size <= 2 * low:
        low = 1
    address = str(block.network_address + random.randrange(low, size - 1))
    for _ in range(_TRIES):
        if not is_address_held(ctx, address, owner):
            break
        address = str(block.network_address + random.randrange(low, size - 1))
    return address


def free_port(ctx: Context, owner: str, used: set[int]) -> int:
    """A node port that nobody seems to hold, from the upper part of the range."""
    first, last = ctx.settings.node_port_range
    size = last - first + 1
    low = first + min(max(16, size // 32), 128) if size > 32 else first
    port = random.randint(low, last)
    for _ in range(_TRIES):
        if port not in used and not is_port_held(ctx, port, owner):
            break
        port = random.randint(low, last)
    return port


def _check_address(addresses: list[str], ctx: Context, owner: str) -> list[FieldError]:
    block, address = network(ctx.settings.service_cidr), ipaddress.ip_address(addresses[0])
    edges = (block.network_address, block.broadcast_address if block.version == 4 else None)
    if address not in block or address in edges:
        why = "the provided network does not match the current range"
    elif is_address_held(ctx, str(address), owner):
        why = "provided IP is already allocated"
    else:
        return []
    return [invalid("spec.clusterIPs", addresses, f"failed to allocate IP {address}: {why}")]
