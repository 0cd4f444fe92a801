"""Cluster IPs and node ports of Services: which are needed, kept, dropped, and handed out.

A free value is chosen at random and claimed in the store by the write itself; if somebody was faster, the verb prepares
the object anew. As in Kubernetes the lower part of a range is left for values that users choose.
"""

from __future__ import annotations

import ipaddress
import random
from functools import lru_cache

from kube.errors import FieldError, invalid
from kube.objects import Json
from kube.registry import Context

NEEDS_IP = ("ClusterIP", "NodePort", "LoadBalancer")
_TRIES = 64


def is_headless(spec: Json) -> bool:
    """Whether a Service has no address of its own, because the user said so."""
    return "None" in (spec.get("clusterIP"), *(spec.get("clusterIPs") or ()))


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


@lru_cache(maxsize=8)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text)


def family(ctx: Context) -> str:
    """The address family of the cluster's Services."""
    return f"IPv{_network(ctx.settings.service_cidr).version}"


def carry_over(new: Json, old: Json) -> None:
    """What was handed out stays when an update leaves it out."""
    if new["type"] in NEEDS_IP and old.get("type") in NEEDS_IP:
        if not new.get("clusterIP"):
            new["clusterIP"] = old.get("clusterIP", "")
        if not new.get("clusterIPs") and new["clusterIP"] == old.get("clusterIP"):
            new["clusterIPs"] = list(old.get("clusterIPs") or ())
    if needs_node_ports(new) and needs_node_ports(old):
        ports = new.get("ports") or ()
        before = {
            (p.get("protocol"), p.get("port")): p["nodePort"] for p in old.get("ports") or () if p.get("nodePort")
        }
        used = {port["nodePort"] for port in ports if port.get("nodePort")}
        for port in ports:
            kept = before.get((port.get("protocol"), port.get("port")))
            if not port.get("nodePort") and kept and kept not in used:
                port["nodePort"] = kept
    if needs_health_port(new) and needs_health_port(old) and not new.get("healthCheckNodePort"):
        new["healthCheckNodePort"] = old.get("healthCheckNodePort", 0)


def align_cluster_ips(new: Json, old: Json) -> None:
    """A client that knows only `clusterIP` changes `clusterIPs` with it."""
    if new.get("clusterIP") == old.get("clusterIP"):
        return
    same = (new.get("clusterIPs") or []) == (old.get("clusterIPs") or [])
    if same or not new.get("clusterIPs"):
        if new.get("clusterIP"):
            new["clusterIPs"] = [new["clusterIP"]]
        else:
            new.pop("clusterIPs", None)


def drop_foreign(new: Json, old: Json) -> None:
    """What a change of type leaves behind goes, unless the client changed it as well."""
    if new["type"] not in NEEDS_IP and old.get("type") in NEEDS_IP and _unchanged(new, old, "clusterIP", "clusterIPs"):
        for name in ("clusterIP", "clusterIPs"):
            new.pop(name, None)
        for name in ("ipFamilies", "ipFamilyPolicy"):
            if _unchanged(new, old, name):
                new.pop(name, None)
    if may_have_node_ports(old) and not may_have_node_ports(new):
        before = [port.get("nodePort") for port in old.get("ports") or ()]
        if before == [port.get("nodePort") for port in new.get("ports") or ()]:
            for port in new.get("ports") or ():
                port.pop("nodePort", None)
    if is_external(old) and not is_external(new) and _unchanged(new, old, "externalTrafficPolicy"):
        new.pop("externalTrafficPolicy", None)
    if needs_health_port(old) and not needs_health_port(new) and _unchanged(new, old, "healthCheckNodePort"):
        new.pop("healthCheckNodePort", None)
    if old.get("type") == "LoadBalancer" and new["type"] != "LoadBalancer":
        for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if _unchanged(new, old, name):
                new.pop(name, None)
    if new["type"] == "ExternalName" and _unchanged(new, old, "internalTrafficPolicy"):
        new.pop("internalTrafficPolicy", None)


def _unchanged(new: Json, old: Json, *names: str) -> bool:
    return all((new.get(name) or None) == (old.get(name) or None) for name in names)


def assign(obj: Json, ctx: Context, old: Json | None = None) -> None:
    """Fill in what the server decides: families, cluster IP, node ports. Leaves alone what validation will refuse."""
    spec = obj["spec"]
    if spec["type"] not in NEEDS_IP:
        return
    families = spec.get("ipFamilies") or [family(ctx)]
    if is_headless(spec) and not spec.get("selector") and not spec.get("ipFamilyPolicy"):
        # The only Services that may have endpoints of both families.
        other = "IPv6" if families[0] == "IPv4" else "IPv4"
        spec["ipFamilyPolicy"] = "RequireDualStack"
        spec["ipFamilies"] = families if len(families) > 1 else [*families, other]
    else:
        spec["ipFamilyPolicy"] = spec.get("ipFamilyPolicy") or "SingleStack"
        spec["ipFamilies"] = families
    owner = obj["metadata"].get("uid", "")
    if not spec.get("clusterIP") and not spec.get("clusterIPs") and spec["ipFamilies"] == [family(ctx)]:
        address = free_address(ctx, owner)
        spec["clusterIP"], spec["clusterIPs"] = address, [address]
    elif spec.get("clusterIPs") and not spec.get("clusterIP"):
        spec["clusterIP"] = spec["clusterIPs"][0]
    if needs_node_ports(spec):
        _assign_node_ports(spec.get("ports") or [], ctx, owner)
    if needs_health_port(spec) and not spec.get("healthCheckNodePort"):
        used = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
        spec["healthCheckNodePort"] = free_port(ctx, owner, used)


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
    network = _network(ctx.settings.service_cidr)
    size = min(network.num_addresses, 1 << 16)
    low = min(max(16, size // 16), 256)
    if size <= 2 * low:
        low = 1
    address = str(network.network_address + random.randrange(low, size - 1))
    for _ in range(_TRIES):
        if not is_address_held(ctx, address, owner):
            break
        address = str(network.network_address + random.randrange(low, size - 1))
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


def check_range(obj: Json, ctx: Context) -> list[FieldError]:
    """Values that the user chose must lie in the range and be free."""
    spec, owner = obj["spec"], obj["metadata"].get("uid", "")
    if spec["type"] not in NEEDS_IP:
        return []
    errors: list[FieldError] = []
    if not is_headless(spec) and (addresses := spec.get("clusterIPs")):
        errors += _check_address(addresses, ctx, owner)
    first, last = ctx.settings.node_port_range
    seen: set[tuple[int, str]] = set()
    for i, port in enumerate(spec.get("ports") or ()):
        if not (number := port.get("nodePort")):
            continue
        path = f"spec.ports[{i}].nodePort"
        if not first <= number <= last:
            errors.append(
                invalid(
                    path, number, f"provided port is not in the valid range. The range of valid ports is {first}-{last}"
                )
            )
        elif (number, port["protocol"]) in seen or is_port_held(ctx, number, owner):
            errors.append(invalid(path, number, "provided port is already allocated"))
        seen.add((number, port["protocol"]))
    return errors


def _check_address(addresses: list[str], ctx: Context, owner: str) -> list[FieldError]:
    network, address = _network(ctx.settings.service_cidr), ipaddress.ip_address(addresses[0])
    edges = (network.network_address, network.broadcast_address if network.version == 4 else None)
    if address not in network or address in edges:
        why = "the provided network does not match the current range"
    elif is_address_held(ctx, str(address), owner):
        why = "provided IP is already allocated"
    else:
        return []
    return [invalid("spec.clusterIPs", addresses, f"failed to allocate IP {address}: {why}")]
