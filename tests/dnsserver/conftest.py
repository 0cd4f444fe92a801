"""A small cluster's records, and questions made by an implementation that is not ours (dnslib)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dnslib
import pytest

from dnsserver.config import Config
from dnsserver.metrics import Metrics
from dnsserver.records import Records, service_of, slice_of
from dnsserver.server import Channel, Server
from kube.objects import Json

RANGES = ["10.96.0.0/16", "10.244.0.0/16", "fd00:96::/112"]


def service(name: str, ip: str | None = None, ports: tuple[tuple[str, str, int], ...] = (), **spec: Any) -> Json:
    """A Service of namespace `default`; ports are (name, protocol, number)."""
    ips = {"clusterIP": ip, "clusterIPs": [ip]} if ip else {}
    return {
        "metadata": {"namespace": "default", "name": name},
        "spec": {**ips, "ports": [{"name": n, "protocol": p, "port": number} for n, p, number in ports], **spec},
    }


def piece(
    owner: str,
    *endpoints: Json | str,
    ports: tuple[tuple[str, str, int], ...] = (),
    name: str = "",
    family: str = "IPv4",
) -> Json:
    """An EndpointSlice of a service in `default`; a text is a ready endpoint of that address."""
    return {
        "metadata": {
            "namespace": "default",
            "name": name or f"{owner}-1",
            "labels": {"kubernetes.io/service-name": owner},
        },
        "addressType": family,
        "endpoints": [
            {"addresses": [e], "conditions": {"ready": True}} if isinstance(e, str) else e for e in endpoints
        ],
        "ports": [{"name": n, "protocol": p, "port": number} for n, p, number in ports],
    }


def pod(name: str, *addresses: str, namespace: str = "default", **meta: str) -> Json:
    """A Pod with these addresses."""
    return {
        "metadata": {"namespace": namespace, "name": name, **meta},
        "status": {"podIP": addresses[0] if addresses else "", "podIPs": [{"ip": address} for address in addresses]},
    }


@pytest.fixture
def records() -> Records:
    made = Records()
    made.namespaces |= {"default", "kube-system"}
    web = (("http", "TCP", 80), ("https", "TCP", 443))
    db = (("pg", "TCP", 5432), ("metrics", "TCP", 9187))
    for obj in (
        service("web", "10.96.0.20", web),
        service("plain", "10.96.0.21", (("", "TCP", 80),)),
        service("dual", "10.96.0.22", clusterIPs=["10.96.0.22", "fd00:96::22"]),
        service("db", "None", db),
        service("empty", "None"),
        service("far", type="ExternalName", externalName="www.example.com"),
        service("near", type="ExternalName", externalName="web.default.svc.cluster.local"),
        service("loop", type="ExternalName", externalName="loop.default.svc.cluster.local"),
    ):
        made.put_service(service_of(obj))
    for obj in (
        piece("web", "10.244.0.8", ports=(("http", "TCP", 8080),)),
        piece(
            "db",
            {"addresses": ["10.244.0.5"], "hostname": "db-0", "conditions": {"ready": True}},
            {"addresses": ["10.244.0.6"], "hostname": "db-1", "conditions": {}},
            "10.244.0.7",
            {"addresses": ["10.244.0.99"], "conditions": {"ready": False}},
            ports=db,
        ),
        piece("db", "fd00::7", ports=db, name="db-6", family="IPv6"),
    ):
        made.put_slice(slice_of(obj))
    return made


@pytest.fixture
def server(records: Records) -> Server:
    return Server(records, "cluster.local", RANGES, Config(), Metrics("dns://:53"), lambda: True)


Ask = Callable[..., dnslib.DNSRecord]


@pytest.fixture
def ask(server: Server) -> Ask:
    """Asks over UDP (`proto="tcp"` otherwise) and parses the answer; what needs waiting fails."""
    caches = {"udp": server.new_cache(), "tcp": None}

    def asked(name: str, kind: str = "A", proto: str = "udp", payload: int = 0) -> dnslib.DNSRecord:
        query = dnslib.DNSRecord.question(name, kind)
        if payload:
            query.add_ar(dnslib.EDNS0(udp_len=payload))
        answers: list[bytes] = []
        server.ask(bytes(query.pack()), Channel(proto, "1", caches[proto]), answers.append)
        assert len(answers) == 1, "it is answered at once"
        assert proto == "tcp" or len(answers[0]) <= min(payload or 512, 1232)
        answer = dnslib.DNSRecord.parse(answers[0])
        assert answer.header.id == query.header.id and answer.header.qr == 1
        assert str(answer.q.qname) == str(query.q.qname), "the asker's letters are kept"
        return answer

    return asked


def rows(answer: dnslib.DNSRecord) -> list[str]:
    """The answer section's data, sorted."""
    return sorted(str(record.rdata) for record in answer.rr)


def rcode(answer: dnslib.DNSRecord) -> str:
    return str(dnslib.RCODE[answer.header.rcode])
