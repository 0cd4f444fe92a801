"""DNS packets: queries in, answers out. Nothing here waits, and nothing raises but `Malformed` and `Ignored`."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

A, NS, CNAME, SOA, PTR, TXT, AAAA, SRV, OPT, ANY = 1, 2, 5, 6, 12, 16, 28, 33, 41, 255
IN = 1
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
OPCODE = 0x7800
DO = 0x8000  # in the flags of the OPT record
PAYLOAD = 1232  # what we offer and send at most over UDP: fits an IPv6 packet on any path
PLAIN, STREAM = 512, 65535  # limits of UDP without EDNS, and of TCP
HEADER = struct.Struct("!HHHHHH")
FIXED = struct.Struct("!HHIH")  # type, class, ttl, length of a record
_OPT_SIZE = 11

Labels = tuple[str, ...]


class Malformed(ValueError):
    """The packet breaks the format, or asks what no server here does; `rcode` is the answer."""

    def __init__(self, rcode: int) -> None:
        super().__init__(f"rcode {rcode}")
        self.rcode = rcode


class Ignored(ValueError):
    """No query at all: an answer would help nobody but an attacker."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question. `labels` in lower case; `question` as it came, so that answers keep the asker's letters.

    `payload` is the largest UDP answer the asker takes by its EDNS record, 0 without one.
    """

    id: int
    flags: int
    labels: Labels
    qtype: int
    qclass: int
    question: bytes
    payload: int = 0
    do: bool = False
    version: int = 0
    plain: bool = True  # no EDNS options and nothing else after the question that may differ from packet to packet

    @property
    def udp_limit(self) -> int:
        return min(max(self.payload, PLAIN), PAYLOAD) if self.payload else PLAIN


class Record(NamedTuple):
    """A resource record. `name` None is the name that was asked for.

    `data`: an address for A and AAAA; a name for CNAME, NS, PTR; (priority, weight, port, name) for SRV; a text for TXT;
    (server, mailbox, serial, refresh, retry, expire, minimum) for SOA. Names are lower case without the final dot.
    """

    name: str | None
    type: int
    data: Any
    ttl: int | None = None


# -- queries ------------------------------------------------------------------------------------------------------------


def parse_query(data: bytes) -> Query:
    """The query in a packet; raises Malformed or Ignored."""
    if len(data) < 12:
        raise Ignored
    number, flags, questions, answers, authority, additional = HEADER.unpack_from(data)
    if flags & QR:
        raise Ignored
    if flags & OPCODE:
        raise Malformed(NOTIMP)
    if questions != 1 or answers or authority:
        raise Malformed(FORMERR)
    try:
        labels, end = _question_name(data)
        qtype, qclass = struct.unpack_from("!HH", data, end)
        edns = _edns(data, end + 4, additional)
    except (IndexError, struct.error):
        raise Malformed(FORMERR) from None
    return Query(number, flags, labels, qtype, qclass, data[12 : end + 4], *edns)


def _question_name(data: bytes) -> tuple[Labels, int]:
    """Lower case labels, and where the name ends. A question has nothing before it to point at: no compression."""
    labels, at = [], 12
    while length := data[at]:
        if length > 63 or at + length > 12 + 253:
            raise Malformed(FORMERR)
        label = data[at + 1 : at + 1 + length]
        if len(label) < length:
            raise IndexError
        labels.append(label.lower().decode("latin-1"))
        at += 1 + length
    return tuple(labels), at + 1


def _edns(data: bytes, at: int, count: int) -> tuple[int, bool, int, bool]:
    """(payload, do, version, plain) of the OPT record among the additional ones."""
    found, others = None, False
    for _ in range(count):
        start = at
        at = skip_name(data, at)
        kind, size, ttl, length = FIXED.unpack_from(data, at)
        at += 10 + length
        if at > len(data):
            raise IndexError
        if kind != OPT:
            others = True
        elif found or data[start]:
            raise Malformed(FORMERR)  # two of them, or one that is not at the root
        else:
            found = (max(size, PLAIN), bool(ttl & DO), ttl >> 16 & 0xFF, not length)
    plain = at == len(data) and not others
    return (*found[:3], found[3] and plain) if found else (0, False, 0, plain)


def skip_name(data: bytes, at: int) -> int:
    """Where the name at `at` ends; raises IndexError beyond the packet."""
    while length := data[at]:
        if length >= 0xC0:
            return at + 2
        if length > 63:
            raise Malformed(FORMERR)
        at += 1 + length
    return at + 1


def encode_name(labels: Iterable[str]) -> bytes:
    """A name without compression; raises ValueError when a label or the name is too long."""
    parts = [label.encode("latin-1") for label in labels]
    if any(not 0 < len(part) < 64 for part in parts) or sum(map(len, parts)) + len(parts) > 254:
        raise ValueError(f"not a DNS name: {'.'.join(labels)[:300]}")
    return b"".join(bytes((len(part),)) + part for part in parts) + b"\0"


def make_query(number: int, question: bytes, flags: int, *, do: bool, edns: bool = True) -> bytes:
    """A query of ours to another server."""
    return HEADER.pack(number, flags, 1, 0, 0, int(edns)) + question + (_opt(NOERROR, do) if edns else b"")


# -- answers ------------------------------------------------------------------------------------------------------------


def error(data: bytes, rcode: int) -> bytes:
    """The answer to a packet that could not be read: a header alone, so never longer than the question."""
    number, flags = struct.unpack_from("!HH", data)
    return HEADER.pack(number, QR | flags & (OPCODE | RD) | RA | rcode, 0, 0, 0, 0)


def pack(
    query: Query,
    rcode: int,
    answers: Iterable[Record] = (),
    authority: Iterable[Record] = (),
    additional: Iterable[Record] = (),
    *,
    ttl: int,
    limit: int,
    flags: int = AA,
) -> bytes:
    """The answer to `query`, at most `limit` bytes long: what does not fit is left out, and TC says so (additional
    records are left out silently)."""
    writer = _Writer(query, limit - (_OPT_SIZE if query.payload else 0), ttl)
    counts = [writer.write(section) for section in (answers, authority)]
    truncated = writer.full
    counts.append(writer.write(additional))
    if query.payload:
        writer.data += _opt(rcode, query.do)
        counts[2] += 1
    bits = QR | RA | flags | query.flags & (RD | CD) | rcode & 15 | (TC if truncated else 0)
    HEADER.pack_into(writer.data, 0, query.id, bits, 1, *counts)
    return bytes(writer.data)


def _opt(rcode: int, do: bool) -> bytes:
    return b"\0" + FIXED.pack(OPT, PAYLOAD, (rcode >> 4) << 24 | (DO if do else 0), 0)


class _Writer:
    def __init__(self, query: Query, limit: int, ttl: int) -> None:
        self.data = bytearray(12) + query.question
        self.full = False
        self._limit, self._ttl = limit, ttl
        self._names: dict[Labels, int] = {}
        at = 12
        for i, label in enumerate(query.labels):
            self._names[query.labels[i:]] = at
            at += 1 + len(label)

    def write(self, records: Iterable[Record]) -> int:
        """Appends records until one does not fit; returns how many did."""
        done = 0
        for record in records:
            if self.full:
                break
            mark = len(self.data)
            if record.name is None:
                self.data += b"\xc0\x0c"
            else:
                self._name(record.name)
            self.data += FIXED.pack(record.type, IN, self._ttl if record.ttl is None else record.ttl, 0)
            start = len(self.data)
            self._payload(record.type, record.data)
            struct.pack_into("!H", self.data, start - 2, len(self.data) - start)
            if len(self.data) > self._limit:
                del self.data[mark:]
                self.full = True
            else:
                done += 1
        return done

    def _payload(self, kind: int, data: Any) -> None:
        if kind == A:
            self.data += socket.inet_aton(data)
        elif kind == AAAA:
            self.data += socket.inet_pton(socket.AF_INET6, data)
        elif kind == TXT:
            raw = data.encode()[:255]
            self.data += bytes((len(raw),)) + raw
        elif kind == SRV:
            # The target may not be compressed (RFC 2782), but later names may point at it.
            self.data += struct.pack("!HHH", *data[:3])
            self._name(data[3], compress=False)
        elif kind == SOA:
            self._name(data[0])
            self._name(data[1])
            self.data += struct.pack("!IIIII", *data[2:])
        else:
            self._name(data)

    def _name(self, name: str, *, compress: bool = True) -> None:
        labels = tuple(name.split(".")) if name else ()
        while labels:
            known = self._names.get(labels)
            if known is not None and compress:
                self.data += struct.pack("!H", 0xC000 | known)
                return
            if known is None and len(self.data) < 0x4000:  # beyond, no pointer reaches
                self._names[labels] = len(self.data)
            label = labels[0].encode("latin-1")
            self.data += bytes((len(label),)) + label
            labels = labels[1:]
        self.data += b"\0"


# -- replies of other servers -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reply:
    """What an upstream server said. `body` is everything after the question, without its OPT record; it may hold
    pointers into the question, so it goes with questions of the same length only.

    `records`: (section 0-2, type, offset of the ttl in `body`, ttl, end in `body`) of each record.
    """

    flags: int
    question: bytes
    body: bytes
    records: tuple[tuple[int, int, int, int, int], ...]

    @property
    def rcode(self) -> int:
        return self.flags & 15

    @property
    def truncated(self) -> bool:
        return bool(self.flags & TC)


def parse_reply(data: bytes, number: int, question: bytes) -> Reply | None:
    """The reply to the query with this number and question; None when it is none, or is broken."""
    head = 12 + len(question)
    if len(data) < 12:
        return None
    found, flags, questions, *counts = HEADER.unpack_from(data)
    if found != number or not flags & QR:
        return None
    if not questions and flags & (TC | 15):
        return Reply(flags, question, b"", ())  # some say no more than that it went wrong, or is too long
    if questions != 1 or data[12:head].lower() != question.lower():
        return None
    records: list[tuple[int, int, int, int, int]] = []
    at = head
    try:
        for section, count in enumerate(counts):
            for _ in range(count):
                start = at
                at = skip_name(data, at)
                kind, _, ttl, length = FIXED.unpack_from(data, at)
                if kind == OPT:
                    return Reply(flags, question, data[head:start], tuple(records))
                if at + 10 + length > len(data):
                    raise IndexError
                records.append((section, kind, at + 4 - head, ttl & 0x7FFFFFFF, at + 10 + length - head))
                at += 10 + length
    except (IndexError, struct.error, Malformed):
        if not flags & TC:
            return None
    return Reply(flags, question, data[head:at], tuple(records))


def relay(query: Query, reply: Reply, age: int, limit: int) -> bytes:
    """The reply as the answer to `query`, its lifetimes shortened by `age` seconds."""
    room = limit - 12 - len(query.question) - (_OPT_SIZE if query.payload else 0)
    counts, body, truncated = [0, 0, 0], bytearray(reply.body), reply.truncated
    end = 0
    for section, _, at, ttl, stop in reply.records:
        if stop > room:
            truncated = truncated or section < 2
            break
        struct.pack_into("!I", body, at, max(ttl - age, 0))
        counts[section] += 1
        end = stop
    del body[end:]
    if query.payload:
        body += _opt(reply.rcode, query.do)
        counts[2] += 1
    bits = QR | RA | query.flags & (RD | CD) | reply.flags & (AD | 15) | (TC if truncated else 0)
    return HEADER.pack(query.id, bits, 1, *counts) + query.question + bytes(body)


def addresses(reply: Reply) -> list[Record]:
    """The addresses and aliases in a reply's answer section, names written out."""
    data = bytes(12) + reply.question + reply.body
    head, start, found = 12 + len(reply.question), 12 + len(reply.question), []
    for section, kind, at, ttl, stop in reply.records:
        raw = data[head + at + 6 : head + stop]
        if section == 0 and kind in (A, AAAA, CNAME):
            name = ".".join(_expand(data, start))
            if kind == CNAME:
                found.append(Record(name, kind, ".".join(_expand(data, head + at + 6)), ttl))
            elif len(raw) == (4 if kind == A else 16):
                family = socket.AF_INET if kind == A else socket.AF_INET6
                found.append(Record(name, kind, socket.inet_ntop(family, raw), ttl))
        start = head + stop
    return found


def _expand(data: bytes, at: int) -> list[str]:
    """The labels of a name that may be compressed; raises Malformed or IndexError. Pointers must lead backwards."""
    labels: list[str] = []
    barrier = at
    while length := data[at]:
        if length >= 0xC0:
            at = (length & 0x3F) << 8 | data[at + 1]
            if at >= barrier or at < 12:
                raise Malformed(SERVFAIL)
            barrier = at
            continue
        if length > 63 or len(labels) > 127:
            raise Malformed(SERVFAIL)
        label = data[at + 1 : at + 1 + length].decode("latin-1")
        if "." in label:  # our names are texts with dots between the labels: this one has no text
            raise Malformed(SERVFAIL)
        labels.append(label)
        at += 1 + length
    return labels
