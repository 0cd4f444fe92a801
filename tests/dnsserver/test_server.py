"""Caches and upstream servers: what is kept, for how long, and what happens when nobody answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import dnslib
import pytest

from dnsserver import upstream
from dnsserver.config import Config
from dnsserver.metrics import Metrics
from dnsserver.records import Records, service_of, slice_of
from dnsserver.server import Channel, Server
from tests.dnsserver.conftest import RANGES, Ask, piece, rcode, rows, service
from tests.dnsserver.upstreams import FakeUpstream, records

SVC = "default.svc.cluster.local"
SOA = "example.com. 60 IN SOA ns.example.com. admin.example.com. 1 2 3 4 20"


async def asked(server: Server, name: str, kind: str = "A", proto: str = "udp") -> dnslib.DNSRecord:
    """Asks, and waits for upstream servers."""
    got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    server.ask(bytes(dnslib.DNSRecord.question(name, kind).pack()), Channel(proto, "1"), got.set_result)
    return dnslib.DNSRecord.parse(await asyncio.wait_for(got, 60))


# -- answers of the cluster ---------------------------------------------------------------------------------------------


def test_an_answer_changes_with_its_service(ask: Ask, server: Server, records: Records) -> None:
    assert rows(ask(f"web.{SVC}")) == ["10.96.0.20"] and rcode(ask(f"new.{SVC}")) == "NXDOMAIN"
    other = ask(f"plain.{SVC}")
    kept = len(server.caches[0].entries)
    for name, ip in (("web", "10.96.0.30"), ("new", "10.96.0.31")):
        records.put_service(service_of(service(name, ip)))
        server.forget(("default", name))
    assert len(server.caches[0].entries) == kept - 2, "only the answers about the service are forgotten"
    assert rows(ask(f"web.{SVC}")) == ["10.96.0.30"] and rows(ask(f"new.{SVC}")) == ["10.96.0.31"]
    assert rows(ask(f"plain.{SVC}")) == rows(other)
    assert rcode(ask("20.0.96.10.in-addr.arpa", "PTR")) == "NXDOMAIN"


def test_an_answer_changes_with_endpoints(ask: Ask, server: Server, records: Records) -> None:
    assert len(ask(f"db.{SVC}").rr) == 3
    records.put_slice(slice_of(piece("db", "10.244.0.50")))
    server.forget(("default", "db"))
    assert rows(ask(f"db.{SVC}")) == ["10.244.0.50"]
    assert rcode(ask("5.0.244.10.in-addr.arpa", "PTR")) == "NXDOMAIN"


def test_packed_answers_come_in_turns_and_are_counted(ask: Ask, server: Server) -> None:
    ask(f"db.{SVC}")
    entry = next(iter(server.caches[0].entries.values()))
    firsts = {str(dnslib.DNSRecord.parse(b"\0\0" + tail).rr[0].rdata) for tail in entry.tails}
    assert firsts == {"10.244.0.5", "10.244.0.6", "10.244.0.7"}
    entry.hits += 5
    for prepare in server.metrics.before:
        prepare()
    assert sum(server.metrics.requests.values.values()) == 6
    assert server.metrics.hits.values["dns://:53", "success", ".", ""] == 5


def test_only_plain_packets_are_kept(server: Server) -> None:
    """An EDNS option such as a cookie differs each time: keeping those answers would only push out others."""
    cache = server.new_cache()
    query = dnslib.DNSRecord.question(f"web.{SVC}")
    query.add_ar(dnslib.EDNS0(udp_len=1232, opts=[dnslib.EDNSOption(10, b"12345678")]))
    server.ask(bytes(query.pack()), Channel("udp", "1", cache), lambda answer: None)
    assert not cache.entries


def test_the_cache_is_bounded(ask: Ask, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnsserver.cache.MAX_ANSWERS", 10)
    for i in range(30):
        ask(f"x{i}.{SVC}")
    cache = server.caches[0]
    assert len(cache.entries) == 10 and len(cache._by_service) == 10


def test_until_everything_is_read_the_cluster_is_unknown(records: Records) -> None:
    server = Server(records, "cluster.local", RANGES, Config(), Metrics("dns://:53"), lambda: False)
    answers: list[bytes] = []
    server.ask(bytes(dnslib.DNSRecord.question(f"web.{SVC}").pack()), Channel("udp", "1"), answers.append)
    assert rcode(dnslib.DNSRecord.parse(answers[0])) == "SERVFAIL"


# -- answers of others --------------------------------------------------------------------------------------------------


def with_upstream(
    known: Records, fakes: list[FakeUpstream], test: Callable[[Server], object], **config: object
) -> None:
    async def run() -> None:
        for fake in fakes:
            await fake.start()
        made = Config(upstream=tuple(fake.address for fake in fakes), **config)  # type: ignore[arg-type]
        server = Server(known, "cluster.local", RANGES, made, Metrics("dns://:53"), lambda: True)
        try:
            await test(server)  # type: ignore[misc]
        finally:
            for fake in fakes:
                fake.stop()

    asyncio.run(run())


@pytest.fixture
def known(records: Records) -> Records:
    return records


class Clock:
    """The time of the server and of the event loop's timers: it stands still but for what a test adds to `now`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def silence(self, query: dnslib.DNSRecord) -> None:
        """Of a server that never answers: whoever asked has now waited as long as it waits for one server."""
        self.now += upstream.TRY


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_other_names_are_asked_for_once_and_kept(known: Records, clock: Clock) -> None:
    fake = FakeUpstream(records("www.example.com. 20 IN A 192.0.2.1\nwww.example.com. 300 IN A 192.0.2.2"))

    async def test(server: Server) -> None:
        many = await asyncio.gather(*(asked(server, "www.example.com") for _ in range(20)))
        assert all(rows(answer) == ["192.0.2.1", "192.0.2.2"] for answer in many) and len(fake.asked) == 1
        clock.now += 7
        answer = await asked(server, "WWW.example.com")
        assert str(answer.q.qname) == "WWW.example.com." and not answer.header.aa and answer.header.ra
        assert min(r.ttl for r in answer.rr) == 13 and len(fake.asked) == 1
        clock.now += 14
        await asked(server, "www.example.com")
        assert len(fake.asked) == 2, "the shortest lifetime of its records is the answer's"

    with_upstream(known, [fake], test)


def test_denials_are_kept_as_their_soa_says(known: Records, clock: Clock) -> None:
    fake = FakeUpstream(records("", "NXDOMAIN", SOA))

    async def test(server: Server) -> None:
        for _ in range(3):
            answer = await asked(server, "nosuch.example.com")
            assert rcode(answer) == "NXDOMAIN" and len(answer.auth) == 1
        assert len(fake.asked) == 1 and dict(server.upstream.cache.sizes()) == {"success": 0, "denial": 1}
        clock.now += 21
        await asked(server, "nosuch.example.com")
        assert len(fake.asked) == 2

    with_upstream(known, [fake], test)


def test_what_upstream_cuts_is_asked_for_over_tcp(known: Records) -> None:
    fake = FakeUpstream(records("\n".join(f"many.example.com. 60 IN A 192.0.2.{i}" for i in range(100))), cut=True)

    async def test(server: Server) -> None:
        assert len((await asked(server, "many.example.com", proto="tcp")).rr) == 100
        short = await asked(server, "many.example.com")
        assert short.header.tc and 20 < len(short.rr) < 31 and len(fake.asked) == 2

    with_upstream(known, [fake], test)


def test_a_silent_server_costs_one_try(known: Records, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.sample", lambda servers, count: list(servers))
    silent, good = FakeUpstream(clock.silence), FakeUpstream(records("a.example. 60 IN A 192.0.2.1"))

    async def test(server: Server) -> None:
        for i in range(4):
            assert rcode(await asked(server, f"a{i}.example")) == "NOERROR"
        assert len(silent.asked) == 1 and len(good.asked) == 4, "a server that did not answer is asked last for a while"
        clock.now += upstream.UNHEALTHY
        await asked(server, "a4.example")
        assert len(silent.asked) == 2, "then it gets another chance"

    with_upstream(known, [silent, good], test)


def test_without_any_answer_it_says_so_in_time_and_keeps_that(known: Records, clock: Clock) -> None:
    silent = FakeUpstream(clock.silence)

    async def test(server: Server) -> None:
        began = clock.now
        assert rcode(await asked(server, "a.example")) == "SERVFAIL"
        assert len(silent.asked) == 3 and clock.now - began <= upstream.TOTAL
        clock.now += upstream.FAILURE - 0.1
        assert rcode(await asked(server, "a.example")) == "SERVFAIL" and len(silent.asked) == 3
        clock.now += 0.2
        await asked(server, "a.example")
        assert len(silent.asked) == 6

    with_upstream(known, [silent], test)


def test_without_servers_other_names_fail_at_once(known: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "TRY", 3600.0)  # who waits for a server waits longer than this test may take

    async def test(server: Server) -> None:
        assert rcode(await asked(server, "www.example.com")) == "SERVFAIL"

    with_upstream(known, [], test)


def test_names_of_a_stub_domain_go_to_its_servers(known: Records) -> None:
    stub, other = (FakeUpstream(records(f"a.corp.example. 60 IN A 192.0.2.{i}")) for i in (1, 2))

    async def test(server: Server) -> None:
        server.use(Config(upstream=(other.address,), stubs={("corp", "example"): (stub.address,)}))
        assert rows(await asked(server, "a.corp.example")) == ["192.0.2.1"] and not other.asked
        server.use(Config(upstream=(other.address,)))
        assert rows(await asked(server, "a.corp.example")) == ["192.0.2.2"], "changed configuration counts at once"

    with_upstream(known, [stub, other], test)


def test_reverse_names_of_the_cluster_are_never_asked_elsewhere(known: Records) -> None:
    fake = FakeUpstream(records("", "NXDOMAIN", SOA))

    async def test(server: Server) -> None:
        assert rcode(await asked(server, "9.9.96.10.in-addr.arpa", "PTR")) == "NXDOMAIN" and not fake.asked
        await asked(server, "1.2.0.192.in-addr.arpa", "PTR")
        assert fake.asked == ["1.2.0.192.in-addr.arpa."]

    with_upstream(known, [fake], test)


def test_an_external_name_is_followed(known: Records) -> None:
    fake = FakeUpstream(records("www.example.com. 60 IN CNAME edge.example.net.\nedge.example.net. 60 IN A 192.0.2.1"))

    async def test(server: Server) -> None:
        answer = await asked(server, f"far.{SVC}")
        assert [str(r.rdata) for r in answer.rr] == ["www.example.com.", "edge.example.net.", "192.0.2.1"]
        assert [str(r.rname) for r in answer.rr] == [f"far.{SVC}.", "www.example.com.", "edge.example.net."]
        inside = await asked(server, f"near.{SVC}")
        assert [str(r.rdata) for r in inside.rr] == [f"web.{SVC}.", "10.96.0.20"]
        assert 1 <= len((await asked(server, f"loop.{SVC}")).rr) <= 9, "a circle ends"

    with_upstream(known, [fake], test)


def test_a_server_without_edns_is_asked_plainly(known: Records) -> None:
    def old(query: dnslib.DNSRecord) -> dnslib.DNSRecord:
        if query.ar:
            return dnslib.DNSRecord(dnslib.DNSHeader(id=query.header.id, qr=1, rcode=dnslib.RCODE.FORMERR))
        return records("old.example. 60 IN A 192.0.2.1")(query)

    async def test(server: Server) -> None:
        assert rows(await asked(server, "old.example")) == ["192.0.2.1"]

    with_upstream(known, [FakeUpstream(old)], test)


def test_a_forged_reply_is_not_taken(known: Records, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    read, seen = upstream.parse_reply, []

    def forged(query: dnslib.DNSRecord) -> dnslib.DNSRecord:
        query.header.id ^= 1
        return query.reply()

    def parse(data: bytes, number: int, question: bytes) -> upstream.Reply | None:
        seen.append(read(data, number, question))
        clock.now += upstream.TRY  # nothing else comes
        return seen[-1]

    monkeypatch.setattr(upstream, "parse_reply", parse)

    async def test(server: Server) -> None:
        assert rcode(await asked(server, "a.example")) == "SERVFAIL" and seen == [None] * 3

    with_upstream(known, [FakeUpstream(forged)], test)
