"""What DNS needs of services, endpoint slices, namespaces and pods: compact, indexed by name and by address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from sys import intern
from typing import NamedTuple

from kube.objects import Json

Name = tuple[str, str]  # namespace, service
SERVICE_LABEL = "kubernetes.io/service-name"
TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"


class Port(NamedTuple):
    """`name` is empty for a port without one; `protocol` in lower case."""

    name: str
    protocol: str
    number: int


class Service(NamedTuple):
    """`addresses` are the cluster IPs, none for a headless service; `external` is the name an ExternalName points at."""

    namespace: str
    name: str
    addresses: tuple[str, ...]
    ports: tuple[Port, ...]
    headless: bool
    external: str
    selector: bool


class Slice(NamedTuple):
    """The ready endpoints of one slice. `hostnames` by position in `addresses`, for those that have one."""

    service: Name
    name: str
    addresses: tuple[str, ...]
    hostnames: dict[int, str]
    ports: tuple[Port, ...]
    triggered: str  # when what the slice tells of happened, RFC 3339; empty when unknown


class Pod(NamedTuple):
    """`addresses` are none before the pod has any, and when it is going."""

    namespace: str
    name: str
    addresses: tuple[str, ...]


class Endpoint(NamedTuple):
    """`label` is its name below the service: the pod's hostname, else the address with dashes."""

    address: str
    label: str
    ports: tuple[Port, ...]


def service_of(obj: Json) -> Service:
    """The record of a Service object."""
    meta, spec = obj["metadata"], obj.get("spec") or {}
    external = (spec.get("externalName") or "").rstrip(".").lower() if spec.get("type") == "ExternalName" else ""
    ips = [ip for ip in spec.get("clusterIPs") or [spec.get("clusterIP") or ""] if ip]
    headless = not external and "None" in ips
    addresses = () if headless or external else tuple(ips)
    return Service(
        intern(meta["namespace"]),
        intern(meta["name"]),
        addresses,
        _ports(spec.get("ports")),
        headless,
        external,
        bool(spec.get("selector")),
    )


def slice_of(obj: Json) -> Slice:
    """The record of an EndpointSlice object; empty when it holds no addresses, or those of no service."""
    meta = obj["metadata"]
    owner = (meta.get("labels") or {}).get(SERVICE_LABEL) or ""
    addresses: list[str] = []
    hostnames: dict[int, str] = {}
    if owner and obj.get("addressType") in ("IPv4", "IPv6"):
        for endpoint in obj.get("endpoints") or ():
            # An unknown condition counts as ready.
            if (endpoint.get("conditions") or {}).get("ready") is False:
                continue
            for address in endpoint.get("addresses") or ():
                if endpoint.get("hostname"):
                    hostnames[len(addresses)] = endpoint["hostname"]
                addresses.append(address)
    return Slice(
        (intern(meta["namespace"]), intern(owner)),
        meta["name"],
        tuple(addresses),
        hostnames,
        _ports(obj.get("ports")),
        (meta.get("annotations") or {}).get(TRIGGER) or "",
    )


def pod_of(obj: Json) -> Pod:
    """The record of a Pod object."""
    meta, status = obj["metadata"], obj.get("status") or {}
    found = [] if meta.get("deletionTimestamp") else [entry.get("ip") for entry in status.get("podIPs") or ()]
    return Pod(intern(meta["namespace"]), meta["name"], tuple(filter(None, found)))


def _ports(ports: list[Json] | None) -> tuple[Port, ...]:
    return tuple(
        Port(intern(p.get("name") or ""), intern((p.get("protocol") or "TCP").lower()), p.get("port") or 0)
        for p in ports or ()
    )


class Records:
    """All of them. `put_*` and `drop_*` are called on each change. `pods_read`: whether all pods are known."""

    def __init__(self) -> None:
        self.namespaces: set[str] = set()
        self.pods_read = False
        self._pods: dict[Name, Pod] = {}
        self._pods_at: Counter[Name] = Counter()  # by namespace and address: pods of the host's network share one
        self.services: dict[Name, Service] = {}
        self._slices: dict[Name, dict[str, Slice]] = {}
        self._by_address: dict[str, set[tuple[Name, str]]] = {}  # services with a slice of theirs, "" for themselves

    def put_service(self, service: Service) -> None:
        key = (service.namespace, service.name)
        self.drop_service(key)
        self.services[key] = service
        for address in service.addresses:
            self._by_address.setdefault(address, set()).add((key, ""))

    def drop_service(self, key: Name) -> None:
        old = self.services.pop(key, None)
        for address in old.addresses if old else ():
            self._forget(address, (key, ""))

    def put_slice(self, piece: Slice) -> None:
        self.drop_slice(piece.service, piece.name)
        self._slices.setdefault(piece.service, {})[piece.name] = piece
        for address in piece.addresses:
            self._by_address.setdefault(address, set()).add((piece.service, piece.name))

    def drop_slice(self, key: Name, name: str) -> None:
        kept = self._slices.get(key, {})
        old = kept.pop(name, None)
        if not kept:
            self._slices.pop(key, None)
        for address in old.addresses if old else ():
            self._forget(address, (key, name))

    def _forget(self, address: str, user: tuple[Name, str]) -> None:
        users = self._by_address.get(address, set())
        users.discard(user)
        if not users:
            self._by_address.pop(address, None)

    def put_pod(self, pod: Pod) -> None:
        self.drop_pod((pod.namespace, pod.name))
        self._pods[pod.namespace, pod.name] = pod
        self._pods_at.update((pod.namespace, address) for address in pod.addresses)

    def drop_pod(self, key: Name) -> None:
        old = self._pods.pop(key, None)
        for place in [(old.namespace, address) for address in old.addresses] if old else ():
            self._pods_at[place] -= 1
            if not self._pods_at[place]:
                del self._pods_at[place]

    def forget_pods(self) -> None:
        self._pods.clear()
        self._pods_at.clear()
        self.pods_read = False

    def has_pod(self, namespace: str, address: str) -> bool:
        """Whether a pod of the namespace has the address."""
        return (namespace, address) in self._pods_at

    def endpoints(self, key: Name) -> Iterator[Endpoint]:
        """The ready endpoints of a service, each address with each label and set of ports once."""
        slices = self._slices.get(key, {}).values()
        seen: set[tuple[str, tuple[Port, ...]]] = set()
        for piece in slices:
            for at, address in enumerate(piece.addresses):
                if (address, piece.ports) not in seen:
                    seen.add((address, piece.ports))
                    yield Endpoint(address, piece.hostnames.get(at) or dashed(address), piece.ports)

    def names(self, address: str) -> Iterator[tuple[str, Name]]:
        """(label, service) for each name of an address: label empty for a service's own, which then is the only one."""
        users = sorted(self._by_address.get(address, ()))
        own = [key for key, piece in users if not piece]
        if own:
            yield "", own[0]
            return
        for key, name in users:
            piece = self._slices[key][name]
            places = (at for at, its in enumerate(piece.addresses) if its == address)
            yield from ((piece.hostnames.get(at) or dashed(address), key) for at in places)

    def count(self) -> tuple[int, int]:
        """(services, endpoints)"""
        return len(self.services), sum(len(s.addresses) for held in self._slices.values() for s in held.values())


def dashed(address: str) -> str:
    """An address as a DNS label: 10.244.0.7 -> 10-244-0-7."""
    return address.replace(".", "-").replace(":", "-")
