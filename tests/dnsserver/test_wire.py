"""Packets: what is refused, what is cut, and that no bytes at all break the server."""

from __future__ import annotations

import asyncio
import struct

import dnslib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnsserver import wire
from dnsserver.config import Config
from dnsserver.metrics import Metrics
from dnsserver.records import Records, service_of, slice_of
from dnsserver.server import Channel, Server
from tests.dnsserver.conftest import RANGES, Ask, piece, rcode, service


def header(flags: int = 0x0100, counts: tuple[int, int, int, int] = (1, 0, 0, 0)) -> bytes:
    return struct.pack("!HHHHHH", 7, flags, *counts)


NAME = b"\3web\7default\3svc\7cluster\5local\0"


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (header(flags=0x2800) + NAME + b"\0\1\0\1", "NOTIMP"),
        (header(counts=(2, 0, 0, 0)) + NAME + b"\0\1\0\1", "FORMERR"),
        (header(counts=(0, 0, 0, 0)), "FORMERR"),
        (header() + NAME[:-1], "FORMERR"),
        (header() + b"\xc0\x0c\0\1\0\1", "FORMERR"),
        (header() + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1", "FORMERR"),
        (header(counts=(1, 0, 0, 1)) + NAME + b"\0\1\0\1\0\0\x29\4\xd0\0\0\0\0\0\x08abc", "FORMERR"),
        (header(counts=(1, 0, 0, 2)) + NAME + b"\0\1\0\1" + b"\0\0\x29\4\xd0\0\0\0\0\0\0" * 2, "FORMERR"),
        (header() + NAME + b"\0\1\0\3", "REFUSED"),
    ],
)
def test_what_is_refused(server: Server, packet: bytes, expected: str) -> None:
    answers: list[bytes] = []
    assert server.ask(packet, Channel("udp", "1"), answers.append)
    assert rcode(dnslib.DNSRecord.parse(answers[0])) == expected and len(answers[0]) <= len(packet)


@pytest.mark.parametrize("packet", [b"", b"\0" * 11, header(flags=0x8100) + NAME + b"\0\1\0\1"])
def test_what_is_no_question_gets_no_answer(server: Server, packet: bytes) -> None:
    answers: list[bytes] = []
    assert not server.ask(packet, Channel("udp", "1"), answers.append) and not answers


def test_an_unknown_edns_version_is_told(server: Server) -> None:
    answers: list[bytes] = []
    packet = header(counts=(1, 0, 0, 1)) + NAME + b"\0\1\0\1\0\0\x29\4\xd0\0\1\0\0\0\0"
    server.ask(packet, Channel("udp", "1"), answers.append)
    found = dnslib.DNSRecord.parse(answers[0])
    assert found.header.rcode == 0 and found.ar[0].ttl >> 24 == 1, "BADVERS is 16: its high bits are in the OPT record"


def crowd(records: Records, count: int) -> None:
    records.put_service(service_of(service("crowd", "None", (("http", "TCP", 80),))))
    records.put_slice(
        slice_of(piece("crowd", *(f"10.244.{i >> 8}.{i & 255}" for i in range(count)), ports=(("http", "TCP", 80),)))
    )


@pytest.mark.parametrize(("payload", "most"), [(0, 512), (700, 700), (1232, 1232), (65000, 1232)])
def test_what_does_not_fit_is_cut_and_told(ask: Ask, records: Records, payload: int, most: int) -> None:
    crowd(records, 1000)
    answer = ask("crowd.default.svc.cluster.local", payload=payload)
    assert answer.header.tc and most - 100 < len(answer.rr) * 16 < most
    assert bool(answer.ar) is bool(payload)


def test_over_tcp_everything_fits_and_far_names_are_right(ask: Ask, records: Records) -> None:
    crowd(records, 1000)
    assert len(ask("crowd.default.svc.cluster.local", proto="tcp").rr) == 1000
    found = ask("_http._tcp.crowd.default.svc.cluster.local", "SRV", proto="tcp")
    assert not found.header.tc and len(found.rr) + len(found.ar) > 1000
    assert {str(r.rname) for r in found.ar} <= {str(r.rdata.target) for r in found.rr}


# -- any bytes ----------------------------------------------------------------------------------------------------------


def hostile() -> Server:
    records = Records()
    records.namespaces.add("default")
    records.put_service(service_of(service("web", "10.96.0.20", (("http", "TCP", 80),))))
    crowd(records, 300)
    return Server(records, "cluster.local", RANGES, Config(), Metrics("dns://:53"), lambda: True)


SERVER = hostile()
SERVER.upstream.cached = lambda key: None  # type: ignore[method-assign, assignment]
labels = st.one_of(
    st.sampled_from(
        [
            "web",
            "crowd",
            "default",
            "svc",
            "pod",
            "cluster",
            "local",
            "_http",
            "_tcp",
            "in-addr",
            "arpa",
            "ip6",
            "10",
            "10-244-0-7",
            "CLUSTER",
            "",
        ]
    ),
    st.binary(max_size=70).map(lambda raw: raw.decode("latin-1")),
)
names = st.lists(labels, max_size=12).map(
    lambda parts: b"".join(bytes((len(p) & 255,)) + p.encode("latin-1") for p in parts) + b"\0"
)
zoned = names.map(lambda raw: raw[:-1] + NAME[12:])
opt = st.builds(
    lambda size, ttl, extra: b"\0\0\x29" + struct.pack("!HIH", size, ttl, len(extra)) + extra,
    st.integers(0, 65535),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=20),
)
packets = st.builds(
    lambda flags, counts, name, tail, more: header(flags, counts) + name + tail + more,
    st.sampled_from([0, 0x0100, 0x0110, 0x7FFF]),
    st.sampled_from([(1, 0, 0, 0), (1, 0, 0, 1), (1, 0, 0, 2), (1, 0, 0, 65535), (0, 1, 1, 1)]),
    st.one_of(names, zoned),
    st.sampled_from([b"\0\1\0\1", b"\0\x21\0\1", b"\0\x0c\0\1", b"\0\xff\0\xff", b""]),
    st.one_of(opt, st.just(b""), st.binary(max_size=40)),
)


def limit(data: bytes) -> int:
    try:
        return wire.parse_query(data).udp_limit
    except ValueError:
        return 12


def walk(answer: bytes) -> int:
    """Where the last record that the header counts ends."""
    _, _, questions, *counts = struct.unpack_from("!HHHHHH", answer)
    at = wire.skip_name(answer, 12) + 4 if questions else 12
    for _ in range(sum(counts)):
        at = wire.skip_name(answer, at) + 10
        at += struct.unpack_from("!H", answer, at - 2)[0]
    return at


@settings(max_examples=600, deadline=None)
@given(st.one_of(packets, st.binary(max_size=600)))
def test_no_packet_breaks_the_server(data: bytes) -> None:
    answers: list[bytes] = []
    before = SERVER.metrics.panics.values[()]
    asyncio.set_event_loop(None)  # none, as after asyncio.run: else the first test of a process finds one made for it
    try:
        heard = SERVER.ask(data, Channel("udp", "1"), answers.append)
    except RuntimeError as error:  # it wanted to ask upstream servers: no loop runs here
        assert "event loop" in str(error)
        return
    assert SERVER.metrics.panics.values[()] == before
    assert len(answers) == heard
    for answer in answers:
        assert answer[:2] == data[:2] and len(answer) <= limit(data)
        assert walk(answer) == len(answer)
        if data[12:].isascii():  # dnslib reads no other letters in names
            assert dnslib.DNSRecord.parse(answer).header.qr == 1, "another implementation can read it"


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(st.binary(max_size=300), names),
    st.integers(0, 65535),
    st.lists(st.integers(0, 40), min_size=3, max_size=3),
)
def test_no_reply_breaks_the_server(body: bytes, flags: int, counts: list[int]) -> None:
    question = NAME + b"\0\1\0\1"
    data = struct.pack("!HHHHHH", 7, flags | 0x8000, 1, *counts) + question + body
    reply = wire.parse_reply(data, 7, question)
    if reply is None:
        return
    query = wire.parse_query(header() + question)
    assert len(wire.relay(query, reply, 3, 512)) <= 512
    try:
        found = wire.addresses(reply)
    except (wire.Malformed, IndexError):
        return
    assert len(wire.pack(query, 0, found, ttl=5, limit=512)) <= 512
