"""The Kubernetes DNS specification 1.1, question by question."""

from __future__ import annotations

from ipaddress import ip_address

import dnslib
import pytest

from dnsserver.config import Config
from dnsserver.records import Records, pod_of, service_of, slice_of
from dnsserver.server import Server
from dnsserver.zone import pods_of, reverse_zones, reversed_address, undashed
from tests.dnsserver.conftest import Ask, piece, pod, rcode, rows, service

SVC = "default.svc.cluster.local"


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("dns-version.cluster.local", "TXT", ['"1.1.0"']),
        (f"web.{SVC}", "A", ["10.96.0.20"]),
        ("WEB.Default.svc.Cluster.LOCAL", "A", ["10.96.0.20"]),
        (f"dual.{SVC}", "A", ["10.96.0.22"]),
        (f"dual.{SVC}", "AAAA", ["fd00:96::22"]),
        (f"_http._tcp.web.{SVC}", "SRV", [f"0 100 80 web.{SVC}."]),
        (f"web.{SVC}", "SRV", [f"0 50 443 web.{SVC}.", f"0 50 80 web.{SVC}."]),
        (f"_http._tcp.web.{SVC}", "A", ["10.96.0.20"]),
        (f"http.tcp.web.{SVC}", "SRV", [f"0 100 80 web.{SVC}."]),
        (f"_pg._tcp.db.{SVC}", "A", ["10.244.0.5", "10.244.0.6", "10.244.0.7"]),
        (f"_http._tcp.far.{SVC}", "CNAME", ["www.example.com."]),
        (f"db.{SVC}", "A", ["10.244.0.5", "10.244.0.6", "10.244.0.7"]),
        (f"db.{SVC}", "AAAA", ["fd00::7"]),
        (f"db-0.db.{SVC}", "A", ["10.244.0.5"]),
        (f"10-244-0-7.db.{SVC}", "A", ["10.244.0.7"]),
        (f"fd00--7.db.{SVC}", "AAAA", ["fd00::7"]),
        (f"10-244-0-8.web.{SVC}", "A", ["10.244.0.8"]),
        (
            f"_pg._tcp.db.{SVC}",
            "SRV",
            [
                f"0 25 5432 10-244-0-7.db.{SVC}.",
                f"0 25 5432 db-0.db.{SVC}.",
                f"0 25 5432 db-1.db.{SVC}.",
                f"0 25 5432 fd00--7.db.{SVC}.",
            ],
        ),
        (f"db-1.db.{SVC}", "SRV", [f"0 50 5432 db-1.db.{SVC}.", f"0 50 9187 db-1.db.{SVC}."]),
        ("20.0.96.10.in-addr.arpa", "PTR", [f"web.{SVC}."]),
        ("5.0.244.10.in-addr.arpa", "PTR", [f"db-0.db.{SVC}."]),
        ("7.0.244.10.in-addr.arpa", "PTR", [f"10-244-0-7.db.{SVC}."]),
        ("8.0.244.10.in-addr.arpa", "PTR", [f"10-244-0-8.web.{SVC}."]),
        (f"far.{SVC}", "CNAME", ["www.example.com."]),
        ("10-244-0-7.default.pod.cluster.local", "A", ["10.244.0.7"]),
        ("fd00--7.default.pod.cluster.local", "AAAA", ["fd00::7"]),
        ("cluster.local", "NS", ["kube-dns.kube-system.svc.cluster.local."]),
    ],
)
def test_answers(ask: Ask, name: str, kind: str, expected: list[str]) -> None:
    answer = ask(name, kind, payload=1232)
    assert rows(answer) == sorted(expected) and rcode(answer) == "NOERROR"
    assert answer.header.aa and all(record.ttl == 5 for record in answer.rr)
    assert {str(record.rname) for record in answer.rr} == {f"{name}."}


def test_an_ipv6_service_has_a_reverse_name(ask: Ask) -> None:
    assert rows(ask(ip_address("fd00:96::22").reverse_pointer, "PTR")) == [f"dual.{SVC}."]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (f"nosuch.{SVC}", "A"),
        ("web.nosuch.svc.cluster.local", "A"),
        ("nosuch.svc.cluster.local", "A"),
        (f"empty.{SVC}", "A"),
        (f"_http._udp.web.{SVC}", "SRV"),
        (f"_nosuch._tcp.web.{SVC}", "SRV"),
        (f"_udp.web.{SVC}", "A"),
        (f"db-9.db.{SVC}", "A"),
        (f"10-244-0-99.db.{SVC}", "A"),
        (f"a.b.c.web.{SVC}", "A"),
        (f"x.far.{SVC}", "A"),
        ("nosuch.cluster.local", "A"),
        ("www.google.com." + SVC, "A"),
        ("10-244-0-7.nosuch.pod.cluster.local", "A"),
        ("10-244-0-700.default.pod.cluster.local", "A"),
        ("99.0.96.10.in-addr.arpa", "PTR"),
        ("99.0.244.10.in-addr.arpa", "PTR"),
        (f"_tcp.web.{SVC}", "A"),
        (f"_tcp.db.{SVC}", "SRV"),
        ("x.0.96.10.in-addr.arpa", "PTR"),
    ],
)
def test_what_is_not_there(ask: Ask, name: str, kind: str) -> None:
    answer = ask(name, kind)
    assert rcode(answer) == "NXDOMAIN" and not answer.rr
    assert dnslib_type(answer.auth[0]) == "SOA" and answer.auth[0].ttl == 5


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (f"web.{SVC}", "AAAA"),
        (f"web.{SVC}", "MX"),
        (f"db.{SVC}", "TXT"),
        (f"_http._tcp.web.{SVC}", "AAAA"),
        (f"far.{SVC}", "SRV"),
        (SVC, "A"),
        ("svc.cluster.local", "A"),
        ("pod.cluster.local", "A"),
        ("default.pod.cluster.local", "A"),
        ("cluster.local", "A"),
        ("dns-version.cluster.local", "A"),
        ("96.10.in-addr.arpa", "PTR"),
        ("20.0.96.10.in-addr.arpa", "A"),
    ],
)
def test_a_name_without_records_of_the_type_is_no_denial_of_the_name(ask: Ask, name: str, kind: str) -> None:
    answer = ask(name, kind)
    assert rcode(answer) == "NOERROR" and not answer.rr and dnslib_type(answer.auth[0]) == "SOA"


def dnslib_type(record: dnslib.RR) -> str:
    return str(dnslib.QTYPE[record.rtype])


def test_srv_brings_the_addresses_of_its_targets(ask: Ask) -> None:
    answer = ask(f"_pg._tcp.db.{SVC}", "SRV", payload=1232)
    hosts = {(str(r.rname), str(r.rdata)) for r in answer.ar if dnslib_type(r) in ("A", "AAAA")}
    assert (f"db-0.db.{SVC}.", "10.244.0.5") in hosts and (f"fd00--7.db.{SVC}.", "fd00::7") in hosts and len(hosts) == 4


def test_many_share_the_weight_and_none_gets_nothing(ask: Ask, records: Records) -> None:
    records.put_service(service_of(service("many", "None")))
    addresses = [f"10.244.1.{number}" for number in range(150)]
    for count, weight in ((3, "33"), (100, "1"), (150, "1")):
        records.put_slice(slice_of(piece("many", *addresses[:count], ports=(("p", "TCP", 1),))))
        answer = ask(f"many.{SVC}", "SRV", proto="tcp")
        assert {str(record.rdata).split()[1] for record in answer.rr} == {weight} and len(answer.rr) == count


def test_a_reverse_name_goes_with_the_last_slice_that_has_the_address(ask: Ask, records: Records) -> None:
    records.put_slice(slice_of(piece("db", "10.244.0.7", name="db-2")))
    for gone, expected in (("db-2", "NOERROR"), ("db-1", "NXDOMAIN")):
        records.drop_slice(("default", "db"), gone)
        assert rcode(ask("7.0.244.10.in-addr.arpa", "PTR", proto="tcp")) == expected


def test_pod_records_can_be_switched_off(ask: Ask, server: Server) -> None:
    server.use(Config(pod_records="disabled"))
    assert rcode(ask("10-244-0-7.default.pod.cluster.local")) == "NXDOMAIN"


def test_verified_pod_records_are_those_of_pods(ask: Ask, server: Server, records: Records) -> None:
    server.use(Config(pod_records="verified"))
    name = "10-244-0-7.default.pod.cluster.local"
    assert rcode(ask(name)) == "SERVFAIL", "nobody knows before the pods are read"
    records.pods_read = True
    for obj in (
        pod("a", "10.244.0.7", "fd00::7"),
        pod("b", "10.244.0.8", namespace="kube-system"),
        pod("c"),
        pod("going", "10.244.0.9", deletionTimestamp="2026-01-01T00:00:00Z"),
    ):
        records.put_pod(pod_of(obj))
    assert rows(ask(name)) == ["10.244.0.7"] and rows(ask("fd00--7.default.pod.cluster.local", "AAAA")) == ["fd00::7"]
    assert rcode(ask(name, "AAAA")) == "NOERROR" and not ask(name, "AAAA").rr
    for other in ("10-244-0-8.default", "10-244-0-9.default", "10-244-0-7.kube-system", "a.default"):
        assert rcode(ask(f"{other}.pod.cluster.local")) == "NXDOMAIN", other
    assert rcode(ask("default.pod.cluster.local")) == "NOERROR"


def test_a_pods_record_goes_with_the_last_pod_of_the_address(ask: Ask, server: Server, records: Records) -> None:
    server.use(Config(pod_records="verified"))
    records.pods_read = True
    name = "10-0-0-1.default.pod.cluster.local"
    for host in ("one", "two", "two"):  # pods of the host's network
        records.put_pod(pod_of(pod(host, "10.0.0.1")))
    for gone, expected in (("one", "NOERROR"), ("two", "NXDOMAIN")):
        records.drop_pod(("default", gone))
        server.forget(pods_of("default"))
        assert rcode(ask(name)) == expected


def test_addresses_in_names() -> None:
    assert undashed("10-0-0-1") == "10.0.0.1" and undashed("fd00--1") == "fd00::1" and undashed("web") is None
    assert reversed_address(("1", "0", "96", "10", "in-addr", "arpa")) == "10.96.0.1"
    assert reversed_address(("01", "0", "96", "10", "in-addr", "arpa")) is None
    assert reversed_address(("²", "0", "96", "10", "in-addr", "arpa")) is None


def test_ranges_become_reverse_zones() -> None:
    assert reverse_zones("10.96.0.0/16") == [("96", "10", "in-addr", "arpa")]
    assert len(reverse_zones("10.96.0.0/12")) == 16
    assert reverse_zones("10.0.0.7/32") == [("7", "0", "0", "10", "in-addr", "arpa")]
    assert reverse_zones("fd00::/8") == [("d", "f", "ip6", "arpa")]
