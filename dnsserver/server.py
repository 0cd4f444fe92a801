"""A packet in, a packet out: chooses between the cluster's zone and upstream servers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from dnsserver import wire
from dnsserver.cache import AnswerCache, Entry, Kept, Key
from dnsserver.config import Config
from dnsserver.metrics import About, Metrics
from dnsserver.records import Name, Records
from dnsserver.upstream import Unanswered, Upstream
from dnsserver.wire import Query, Record
from dnsserver.zone import EVERYTHING, Zone

log = logging.getLogger("dnsserver")

MAX_WAITING = 2000  # questions that wait for upstream servers; more are answered SERVFAIL
MAX_ALIASES = 8  # CNAMEs followed for one question
MAX_ROTATIONS = 8  # versions of an answer with several addresses that are kept packed

Reply = Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Channel:
    """How a question came: `proto` udp or tcp, `family` "1" for IPv4 and "2" for IPv6, as CoreDNS labels them."""

    proto: str
    family: str
    cache: AnswerCache | None = None

    def limit(self, query: Query) -> int:
        return query.udp_limit if self.proto == "udp" else wire.STREAM


@dataclass(slots=True)
class Outcome:
    """A packed answer, and what to count and keep of it. `rotations`: further versions, with the records in another order."""

    data: bytes
    rcode: int
    zone: str
    plugin: str
    service: Name | None = None  # None: not to be kept
    rotations: tuple[bytes, ...] = ()


class Server:
    """`synced` tells whether the records are complete; until then, names of the cluster are answered SERVFAIL."""

    def __init__(
        self,
        records: Records,
        domain: str,
        ranges: list[str],
        config: Config,
        metrics: Metrics,
        synced: Callable[[], bool],
    ) -> None:
        self.zone = Zone(records, domain, ranges)
        self.metrics, self._synced = metrics, synced
        self.upstream = Upstream(config, metrics)
        self.caches: list[AnswerCache] = []
        self._waiting: set[asyncio.Task[None]] = set()
        metrics.before.append(self._count_hits)
        self.use(config)

    def use(self, config: Config) -> None:
        """Take another configuration; no question is lost over it."""
        self.zone.ttl, self.zone.pod_records = config.ttl, config.pod_records
        self.upstream.use(config)
        self.forget_all()

    # -- caches ---------------------------------------------------------------------------------------------------------

    def new_cache(self) -> AnswerCache:
        """A cache for one listener, kept up to date by this server."""
        made = AnswerCache(self.metrics.repeated)
        self.caches.append(made)
        return made

    def forget(self, service: Name) -> None:
        """A service or its endpoints changed."""
        for cache in self.caches:
            cache.drop(service)
            cache.drop(EVERYTHING)

    def forget_all(self) -> None:
        for cache in self.caches:
            cache.clear()

    def _count_hits(self) -> None:
        for cache in self.caches:
            cache.fold_all()

    # -- questions ------------------------------------------------------------------------------------------------------

    def ask(self, data: bytes, channel: Channel, reply: Reply) -> bool:
        """Calls `reply` with the answer, at once or later. False, and no answer, for what is no question at all."""
        started = time.perf_counter()
        try:
            query = wire.parse_query(data)
        except wire.Ignored:
            return False
        except wire.Malformed as error:
            self._send(
                Outcome(wire.error(data, error.rcode), error.rcode, ".", ""), data, None, channel, reply, started
            )
            return True
        try:
            outcome = self._now(query, channel)
        except Exception:
            outcome = self._panic(query, channel)
        if outcome is not None:
            self._send(outcome, data, query, channel, reply, started)
        elif len(self._waiting) < MAX_WAITING:
            task = asyncio.ensure_future(self._later(data, query, channel, reply, started))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)
        else:
            self._send(self._refuse(query, channel, wire.SERVFAIL), data, query, channel, reply, started)
        return True

    async def _later(self, data: bytes, query: Query, channel: Channel, reply: Reply, started: float) -> None:
        try:
            outcome = await self._follow(query, channel)
        except Unanswered:
            outcome = self._refuse(query, channel, wire.SERVFAIL, plugin="forward")
        except Exception:
            outcome = self._panic(query, channel)
        self._send(outcome, data, query, channel, reply, started)

    def _panic(self, query: Query, channel: Channel) -> Outcome:
        log.exception("the question %s type %d could not be answered", ".".join(query.labels)[:255], query.qtype)
        self.metrics.panics.add()
        return self._refuse(query, channel, wire.SERVFAIL)

    def _send(
        self, outcome: Outcome, data: bytes, query: Query | None, channel: Channel, reply: Reply, started: float
    ) -> None:
        reply(outcome.data)
        about = About(
            outcome.zone,
            channel.proto,
            channel.family,
            query.qtype if query else 0,
            bool(query and query.do),
            outcome.rcode,
            len(data),
            len(outcome.data),
            outcome.plugin,
        )
        self.metrics.answered(about, time.perf_counter() - started)
        if channel.cache is not None and outcome.service is not None and query is not None and query.plain:
            tails = [packed[2:] for packed in (outcome.data, *outcome.rotations)]
            channel.cache.put(data[2:], Entry(tails, outcome.service, about._replace(plugin="cache")))

    # -- answers --------------------------------------------------------------------------------------------------------

    def _now(self, query: Query, channel: Channel) -> Outcome | None:
        """The answer that needs no waiting; None when upstream servers have to be asked."""
        if query.version:
            return self._refuse(query, channel, wire.BADVERS)
        if query.qclass not in (wire.IN, wire.ANY):
            return self._refuse(query, channel, wire.REFUSED)
        answer = self.zone.answer(query.labels, query.qtype)
        if answer is None:
            try:
                kept = self.upstream.cached(_key(query))
            except Unanswered:
                return self._refuse(query, channel, wire.SERVFAIL, plugin="cache")
            return self._relay(query, channel, kept, "cache") if kept else None
        if answer.rcode == wire.SERVFAIL or not self._synced():
            return self._refuse(query, channel, wire.SERVFAIL, plugin="kubernetes")
        if answer.alias and query.qtype not in (wire.CNAME, wire.ANY):
            return None
        limit, ttl, rotations = channel.limit(query), self.zone.ttl, _rotations(answer.answers)
        authority = [] if answer.answers else [self.zone.soa(answer.origin)]
        data, *others = [
            wire.pack(query, answer.rcode, records, authority, answer.additional, ttl=ttl, limit=limit)
            for records in (rotations if channel.cache is not None else rotations[:1])
        ]
        zone = f"{answer.origin}." if answer.origin == self.zone.domain else "arpa."
        return Outcome(data, answer.rcode, zone, "kubernetes", answer.service, tuple(others))

    def _refuse(self, query: Query, channel: Channel, rcode: int, plugin: str = "") -> Outcome:
        data = wire.pack(query, rcode, ttl=0, limit=channel.limit(query), flags=0)
        return Outcome(data, rcode, self._zone_of(query), plugin)

    def _zone_of(self, query: Query) -> str:
        inside = ".".join(query.labels[-self.zone.depth :]) == self.zone.domain
        return f"{self.zone.domain}." if inside else "."

    def _relay(self, query: Query, channel: Channel, kept: Kept, plugin: str) -> Outcome:
        age = int(time.monotonic() - kept.since)
        data = wire.relay(query, kept.reply, age, channel.limit(query))
        return Outcome(data, kept.reply.rcode, self._zone_of(query), plugin)

    async def _follow(self, query: Query, channel: Channel) -> Outcome:
        """Asks upstream servers; for an ExternalName, goes on with the name that it points at."""
        answer = self.zone.answer(query.labels, query.qtype)
        if answer is None:
            return self._relay(query, channel, await self.upstream.ask(_key(query), query.labels), "forward")
        chain, rcode, name = list(answer.answers), answer.rcode, answer.alias
        for _ in range(MAX_ALIASES):
            labels = tuple(name.split("."))
            found = self.zone.answer(labels, query.qtype)
            if found is None:
                records, rcode = await self._outside(labels, query)
                chain += records
                break
            chain += [record if record.name else record._replace(name=name) for record in found.answers]
            rcode, name = found.rcode, found.alias
            if not name:
                break
        data = wire.pack(query, rcode, chain, ttl=self.zone.ttl, limit=channel.limit(query))
        return Outcome(data, rcode, f"{self.zone.domain}.", "kubernetes")

    async def _outside(self, labels: tuple[str, ...], query: Query) -> tuple[list[Record], int]:
        """Addresses of a name outside the cluster, each to live no longer than our own. For other types nothing: the asker
        goes on with the CNAME."""
        if query.qtype not in (wire.A, wire.AAAA):
            return [], wire.NOERROR
        question = wire.encode_name(labels) + query.qtype.to_bytes(2) + wire.IN.to_bytes(2)
        kept = await self.upstream.ask((question, query.do, bool(query.flags & wire.CD)), labels)
        records = wire.addresses(kept.reply)
        return [r._replace(ttl=min(r.ttl or 0, self.zone.ttl)) for r in records], kept.reply.rcode


def _key(query: Query) -> Key:
    # Only the name in lower case: the two bytes of the type may look like letters.
    question = query.question[:-4].lower() + query.question[-4:]
    return question, query.do, bool(query.flags & wire.CD)


def _rotations(records: list[Record]) -> list[list[Record]]:
    """The records in up to MAX_ROTATIONS orders, so that clients that take the first address spread."""
    count = len(records)
    if count < 2 or records[0].type not in (wire.A, wire.AAAA):
        return [records]
    step = -(-count // min(count, MAX_ROTATIONS))
    return [records[at:] + records[:at] for at in range(0, count, step)]
