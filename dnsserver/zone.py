"""The Kubernetes DNS specification 1.1: a name and a type -> an answer. Pure: reads `Records`, does nothing else."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from dnsserver.config import DISABLED, INSECURE, VERIFIED
from dnsserver.records import Endpoint, Name, Port, Records, Service
from dnsserver.wire import AAAA, ANY, CNAME, NOERROR, NS, NXDOMAIN, PTR, SERVFAIL, SOA, SRV, TXT, A, Labels, Record

VERSION = "1.1.0"
PRIORITY, WEIGHT = 0, 100
REFRESH, RETRY, EXPIRE = 7200, 1800, 86400
EVERYTHING: Name = ("", "")  # answers that any change may change: PTR, apex, names of namespaces


def pods_of(namespace: str) -> Name:
    """Stands for the pods of a namespace where an answer names the service whose changes make it old."""
    return namespace, ""


@dataclass(slots=True)
class Answer:
    """`origin` is the zone that the answer is of; `service` whose changes make it old.

    `alias` is the name that the asker's question goes on with, after an ExternalName's CNAME.
    """

    rcode: int = NOERROR
    answers: list[Record] = field(default_factory=list)
    additional: list[Record] = field(default_factory=list)
    origin: str = ""
    service: Name = EVERYTHING
    alias: str = ""


class Zone:
    """Answers for `domain` and for the reverse names of `ranges` (CIDRs of pods and services)."""

    def __init__(
        self, records: Records, domain: str, ranges: Iterable[str] = (), *, ttl: int = 5, pod_records: str = INSECURE
    ) -> None:
        self.records, self.domain, self.ttl, self.pod_records = records, domain.strip(".").lower(), ttl, pod_records
        self._labels = tuple(self.domain.split("."))
        self.depth = len(self._labels)
        self._reverse = {suffix for cidr in ranges for suffix in reverse_zones(cidr)}
        self._server = f"kube-dns.kube-system.svc.{self.domain}"

    def answer(self, labels: Labels, qtype: int) -> Answer | None:
        """None when the name is not of this cluster: others may know it."""
        if labels[-self.depth :] == self._labels:
            found = Answer(NXDOMAIN)
            match labels[: -self.depth]:
                case ():
                    found = self._apex(qtype)
                case ("dns-version",):
                    found = Answer(answers=[Record(None, TXT, VERSION)] if qtype in (TXT, ANY) else [])
                case (*name, "svc"):
                    found = self._below_svc(tuple(name), qtype)
                case (*name, "pod") if self.pod_records != DISABLED:
                    found = self._below_pod(tuple(name), qtype)
            found.origin = self.domain
            return found
        if labels[-1:] == ("arpa",):
            return self._backward(labels, qtype)
        return None

    def soa(self, origin: str) -> Record:
        """The record that negative answers carry. The serial is constant: nobody transfers this zone."""
        numbers = (1, REFRESH, RETRY, EXPIRE, self.ttl)
        return Record(origin, SOA, (self._server, f"hostmaster.{self.domain}", *numbers))

    # -- names of the domain --------------------------------------------------------------------------------------------

    def _apex(self, qtype: int) -> Answer:
        found = Answer()
        if qtype in (SOA, ANY):
            found.answers.append(self.soa(self.domain)._replace(name=None))
        if qtype in (NS, ANY):
            found.answers.append(Record(None, NS, self._server))
            service = self.records.services.get(("kube-system", "kube-dns"))
            found.additional += _addresses(self._server, service.addresses if service else (), ANY)
        return found

    def _below_pod(self, name: Labels, qtype: int) -> Answer:
        """The address is in the name. That a pod has it is checked or not, as with CoreDNS's `pods`."""
        if name and name[-1] not in self.records.namespaces:
            return Answer(NXDOMAIN)
        if len(name) < 2:
            return Answer()
        namespace, verified = name[-1], self.pod_records == VERIFIED
        address = undashed(name[0]) if len(name) == 2 else None
        if address is None or (verified and self.records.pods_read and not self.records.has_pod(namespace, address)):
            return Answer(NXDOMAIN, service=pods_of(namespace))
        if verified and not self.records.pods_read:
            return Answer(SERVFAIL)
        return Answer(answers=list(_addresses(None, (address,), qtype)), service=pods_of(namespace))

    def _below_svc(self, name: Labels, qtype: int) -> Answer:
        if len(name) < 2:
            return Answer(NXDOMAIN if name and name[0] not in self.records.namespaces else NOERROR)
        key = (name[-1], name[-2])
        service = self.records.services.get(key)
        found = self._of_service(service, name[:-2], qtype) if service else Answer(NXDOMAIN)
        found.service = key
        return found

    def _of_service(self, service: Service, head: Labels, qtype: int) -> Answer:
        if service.external:
            if len(head) not in (0, 2):
                return Answer(NXDOMAIN)
            if qtype == SRV:
                return Answer()
            return Answer(answers=[Record(None, CNAME, service.external)], alias=service.external)
        match head:
            case ():
                if qtype == SRV:
                    every = self._ports(service, lambda port: True)
                    bare = every.rcode != NOERROR and any(self.records.endpoints(_key(service)))
                    return Answer() if bare else every  # endpoints without ports
                if not service.headless:
                    return Answer(answers=list(_addresses(None, service.addresses, qtype)))
                ready = dict.fromkeys(e.address for e in self.records.endpoints(_key(service)))
                return Answer(answers=list(_addresses(None, ready, qtype))) if ready else Answer(NXDOMAIN)
            case (label,):  # such as _tcp, too, at which there is nothing, though names are below it: as with CoreDNS
                found = [e for e in self.records.endpoints(_key(service)) if e.label.lower() == label]
                if qtype == SRV and any(e.ports for e in found):
                    return self._targets(service, ((e, port) for e in found for port in e.ports))
                hosts = dict.fromkeys(e.address for e in found)
                return Answer(answers=list(_addresses(None, hosts, qtype))) if found else Answer(NXDOMAIN)
            case (port, protocol):
                name, of = port.removeprefix("_"), protocol.removeprefix("_")
                return self._of_port(service, lambda p: p.name.lower() == name and p.protocol == of, qtype)
        return Answer(NXDOMAIN)

    def _of_port(self, service: Service, wanted: Callable[[Port], bool], qtype: int) -> Answer:
        """The SRV records of a named port; at its name are the addresses, too, as with CoreDNS."""
        found = self._ports(service, wanted)
        if qtype not in (SRV, ANY) and found.rcode == NOERROR:
            hosts = dict.fromkeys(str(record.data) for record in found.additional)
            return Answer(answers=list(_addresses(None, hosts, qtype)))
        return found

    def _ports(self, service: Service, wanted: Callable[[Port], bool]) -> Answer:
        if service.headless:
            return self._targets(
                service, ((e, port) for e in self.records.endpoints(_key(service)) for port in e.ports if wanted(port))
            )
        target = f"{service.name}.{service.namespace}.svc.{self.domain}"
        ports = [port for port in service.ports if wanted(port)]
        if not ports:
            return Answer(NXDOMAIN)
        if not service.addresses:
            return Answer()
        return Answer(
            answers=[_srv(port, target, len(ports) * len(service.addresses)) for port in ports],
            additional=list(_addresses(target, service.addresses, ANY)),
        )

    def _targets(self, service: Service, pairs: Iterable[tuple[Endpoint, Port]]) -> Answer:
        """A record for each endpoint and port; the endpoints' addresses beside them. They share the weight."""
        pairs = list(pairs)
        base = f"{service.name}.{service.namespace}.svc.{self.domain}"
        found = Answer(NXDOMAIN)
        hosts: dict[tuple[str, str], None] = {}
        for endpoint, port in pairs:
            target = f"{endpoint.label.lower()}.{base}"
            found.answers.append(_srv(port, target, len(pairs)))
            hosts[target, endpoint.address] = None
        found.answers = list(dict.fromkeys(found.answers))
        found.additional = [record for target, address in hosts for record in _addresses(target, (address,), ANY)]
        if found.answers:
            found.rcode = NOERROR
        return found

    # -- names of addresses ---------------------------------------------------------------------------------------------

    def _backward(self, labels: Labels, qtype: int) -> Answer | None:
        address = reversed_address(labels)
        names = [
            ".".join((*filter(None, (label,)), key[1], key[0], "svc", self.domain)).lower()
            for label, key in (self.records.names(address) if address else ())
        ]
        origin = next((labels[i:] for i in range(len(labels)) if labels[i:] in self._reverse), None)
        if origin is None and not names:
            return None
        found = Answer(origin=".".join(origin or labels))
        if qtype in (PTR, ANY):
            found.answers = [Record(None, PTR, name) for name in dict.fromkeys(names)]
        # A name that is shorter than an address has addresses below it.
        match labels:
            case (*parts, "in-addr", "arpa"):
                above = len(parts) < 4 and all(_octet(part) for part in parts)
            case (*parts, "ip6", "arpa"):
                above = len(parts) < 32 and all(_nibble(part) for part in parts)
            case _:
                above = False
        known = names or labels == origin or above
        found.rcode = NOERROR if known else NXDOMAIN
        return found


def _key(service: Service) -> Name:
    return service.namespace, service.name


def _srv(port: Port, target: str, count: int) -> Record:
    """One of `count` that share the weight."""
    return Record(None, SRV, (PRIORITY, max(WEIGHT // count, 1), port.number, target))


def _addresses(name: str | None, addresses: Iterable[str], qtype: int) -> Iterator[Record]:
    for address in addresses:
        kind = AAAA if ":" in address else A
        if qtype in (kind, ANY):
            yield Record(name, kind, address)


def undashed(label: str) -> str | None:
    """The address in a label: 10-244-0-7, or an IPv6 address with dashes for colons."""
    parts = label.split("-")
    try:
        if len(parts) == 4 and all(part.isascii() and part.isdigit() for part in parts):
            return str(ipaddress.IPv4Address(".".join(parts)))
        return str(ipaddress.IPv6Address(label.replace("-", ":")))
    except ValueError:
        return None


def reversed_address(labels: Labels) -> str | None:
    """The address that a name below in-addr.arpa or ip6.arpa spells out; None when it spells none."""
    match labels:
        case (*parts, "in-addr", "arpa") if len(parts) == 4 and all(_octet(part) for part in parts):
            return ".".join(reversed(parts))
        case (*parts, "ip6", "arpa") if len(parts) == 32 and all(_nibble(part) for part in parts):
            raw = bytes.fromhex("".join(reversed(parts)))
            return socket.inet_ntop(socket.AF_INET6, raw)
    return None


def _octet(label: str) -> bool:
    return label.isascii() and label.isdigit() and str(int(label[:4])) == label and int(label) < 256


def _nibble(label: str) -> bool:
    return len(label) == 1 and label in "0123456789abcdef"


def reverse_zones(cidr: str) -> list[Labels]:
    """The reverse zones that cover a CIDR exactly: 10.96.0.0/12 -> 96.10.in-addr.arpa … 111.10.in-addr.arpa."""
    network = ipaddress.ip_network(cidr)
    step = 8 if network.version == 4 else 4
    width = -(-network.prefixlen // step) * step
    labels = []
    for part in network.subnets(new_prefix=width):
        whole = tuple(part.network_address.reverse_pointer.split("."))
        labels.append(whole[(part.max_prefixlen - width) // step :])
    return labels
