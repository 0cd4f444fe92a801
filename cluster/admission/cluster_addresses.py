"""ClusterAddresses: no Service and no pod takes an address and port on which the cluster itself listens.

With `externalIPs` or a host port anybody who may create a Service or a pod could stand in the place of the API server, a
kubelet, the cluster's DNS or the dashboard, and be sent tokens. Namespace kube-system, where the cluster's own parts run, is
exempt.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import NamedTuple
from weakref import WeakKeyDictionary

import environment
from client.paths import kubelet_port
from cluster.admission.plugin import CREATE, UPDATE, Plugin
from cluster.admission.request import Request
from cluster.cache import Cache
from cluster.store import Key
from kube.objects import SYSTEM_NAMESPACE
from kube.pods import podutil

LOOPBACK = "127.0.0.1"
Held = tuple[str, int, str]  # address, port, who


class Node(NamedTuple):
    """Where the kubelet of one revision of a node listens; `port` 0: nowhere."""

    revision: int
    addresses: tuple[str, ...]
    port: int


class ClusterAddresses(Plugin):
    operations = frozenset({CREATE, UPDATE})
    storages = frozenset({"services", "pods"})

    def __init__(self) -> None:
        # What is known of each revision of a node: with a thousand of them to decode, each pod would wait for that.
        self._known: WeakKeyDictionary[Cache, dict[str, Node]] = WeakKeyDictionary()

    def validate(self, request: Request) -> None:
        spec, before = request.obj["spec"], (request.old or {}).get("spec") or {}
        if request.namespace == SYSTEM_NAMESPACE:
            return
        if request.kind.storage == "pods":
            wanted = podutil.host_ports(spec) if request.operation == CREATE else ()
            for held, number, who in self._held(request.cache) if wanted else ():
                for _, address, port in wanted:
                    if number == port and (_is_any(address) or address == held):
                        raise request.forbid(f"host port {port} is taken: {who} listens there; choose another")
        elif addresses := set(spec.get("externalIPs") or ()) - set(before.get("externalIPs") or ()):
            ports = {port.get("port") for port in spec.get("ports") or ()}
            for held, number, who in self._held(request.cache):
                if held in addresses and number in ports:
                    raise request.forbid(
                        f"spec.externalIPs: {held}:{number} is taken: {who} listens there; choose another address or port"
                    )

    def _nodes(self, cache: Cache) -> dict[str, Node]:
        """The nodes by name; only those that changed since the last look are decoded."""
        before, nodes = self._known.get(cache, {}), {}
        for entry in cache.list("nodes"):
            known = before.get(entry.key.name)
            if known is None or known.revision != entry.revision:
                obj = entry.object()
                listed = (obj.get("status") or {}).get("addresses") or ()
                own = tuple(item["address"] for item in listed if item.get("type") != "Hostname")
                known = Node(entry.revision, own, kubelet_port(obj))
            nodes[entry.key.name] = known
        self._known[cache] = nodes
        return nodes

    def _held(self, cache: Cache) -> Iterator[Held]:
        """What the cluster itself listens on."""
        addresses = {LOOPBACK}
        for name, node in self._nodes(cache).items():
            addresses.update(node.addresses)
            for address in (*node.addresses, LOOPBACK):
                yield address, node.port, f"the kubelet of node {name}"
        kubernetes = cache.get(Key("endpoints", "default", "kubernetes"))
        for subset in (kubernetes.object().get("subsets") or ()) if kubernetes else ():
            addresses.update(item["ip"] for item in subset.get("addresses") or ())
        for address in addresses:
            yield address, environment.API_PORT.get(), "the API server"
            yield address, environment.DASHBOARD_PORT.get(), "the dashboard"
        for entry in cache.list("services", SYSTEM_NAMESPACE):
            spec = entry.object()["spec"]
            for address in (*(spec.get("clusterIPs") or ()), *(spec.get("externalIPs") or ())):
                for item in spec.get("ports") or ():
                    yield address, item["port"], f"the service {SYSTEM_NAMESPACE}/{entry.key.name}"


def _is_any(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_unspecified
    except ValueError:
        return False
