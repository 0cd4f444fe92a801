"""Asking other servers: over UDP from a fresh port each time, over TCP what was cut off; retries within a time limit."""

from __future__ import annotations

import asyncio
import random
import secrets
import struct
import time

from dnsserver.cache import Kept, Key, ReplyCache, denies
from dnsserver.config import Config, Server
from dnsserver.metrics import Metrics
from dnsserver.wire import CD, FORMERR, NXDOMAIN, RD, SOA, Labels, Reply, make_query, parse_reply

# A client's resolver waits 5 s in all: an answer after that is for nobody.
TRY, TOTAL = 1.5, 4.5  # seconds for one server, and for the question
UNHEALTHY = 10.0  # seconds that a server which did not answer is asked last
FAILURE = 5.0  # seconds that a failure is kept: a dead server is not asked once for each client
MAX_ASKED = 1000  # questions under way


class Unanswered(Exception):
    """No server gave an answer."""


class Upstream:
    """Answers questions by `config`'s servers. The same question is asked once at a time, for all who wait for it:
    if a server passes our question back to us, it waits for itself and fails, and nothing multiplies."""

    def __init__(self, config: Config, metrics: Metrics) -> None:
        self.config, self._metrics = config, metrics
        self.cache = ReplyCache()
        self._failed: dict[Key, float] = {}
        self._asked: dict[Key, asyncio.Task[Kept]] = {}
        self._unhealthy: dict[Server, float] = {}

    def use(self, config: Config) -> None:
        """Take another configuration; questions under way end with the old one."""
        if (config.upstream, config.stubs) != (self.config.upstream, self.config.stubs):
            self.cache.clear()
            self._failed.clear()
        self.config = config

    def cached(self, key: Key) -> Kept | None:
        """A reply that is still good; raises Unanswered when the last try failed a moment ago."""
        now = time.monotonic()
        if self._failed and self._failed.get(key, 0.0) > now:
            raise Unanswered
        return self.cache.get(key, now)

    async def ask(self, key: Key, labels: Labels) -> Kept:
        """The reply to a question; raises Unanswered."""
        task = self._asked.get(key)
        if task is None:
            if len(self._asked) >= MAX_ASKED:
                raise Unanswered
            task = self._asked[key] = asyncio.ensure_future(self._ask(key, self.config.servers(labels)))
            task.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(task)

    def _done(self, key: Key, task: asyncio.Task[Kept]) -> None:
        self._asked.pop(key, None)
        if task.cancelled() or task.exception() is None:
            return
        now = time.monotonic()
        if len(self._failed) >= MAX_ASKED:
            self._failed = {k: until for k, until in self._failed.items() if until > now}
        if len(self._failed) < MAX_ASKED:
            self._failed[key] = now + FAILURE

    async def _ask(self, key: Key, servers: tuple[Server, ...]) -> Kept:
        deadline = time.monotonic() + TOTAL
        refused: Reply | None = None
        # Each server, those that did not answer lately last; with fewer than three, all of them again.
        now = time.monotonic()
        turn = sorted(random.sample(servers, len(servers)), key=lambda server: self._unhealthy.get(server, 0.0) > now)
        for server in turn * -(-3 // len(turn)) if 0 < len(turn) < 3 else turn:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            reply = await self._try(server, key, min(TRY, left))
            if reply is None:
                continue
            if reply.rcode in (0, NXDOMAIN):
                now, limits = time.monotonic(), self.config
                seconds = min(lifetime(reply), limits.negative_seconds if denies(reply) else limits.cache_seconds)
                if seconds > 0:
                    self.cache.put(key, reply, now, seconds)
                return Kept(reply, now, now + seconds)
            refused = reply  # another server may do better
        if refused is None:
            raise Unanswered
        now = time.monotonic()
        return Kept(refused, now, now)

    async def _try(self, server: Server, key: Key, seconds: float) -> Reply | None:
        """None when the server does not answer in time."""
        started = time.monotonic()
        question, do, cd = key
        try:
            async with asyncio.timeout(seconds):
                reply = await _over_udp(server, question, do=do, cd=cd)
                if reply.rcode == FORMERR:  # a server that does not know EDNS
                    reply = await _over_udp(server, question, do=False, cd=cd, edns=False)
                if reply.truncated:
                    reply = await _over_tcp(server, question, do=do, cd=cd)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, Unanswered) as error:
            self._unhealthy[server] = time.monotonic() + UNHEALTHY
            self._metrics.forward_failed(server, "timeout" if isinstance(error, TimeoutError) else "error")
            return None
        self._unhealthy.pop(server, None)
        self._metrics.forwarded(server, reply.rcode, time.monotonic() - started)
        return reply


def lifetime(reply: Reply) -> float:
    """Seconds that a reply may be kept, by its records; a denial without SOA is not kept (RFC 2308)."""
    times = [ttl for _, _, _, ttl, _ in reply.records]
    if not denies(reply):
        return min(times)
    minimum = [
        min(ttl, struct.unpack_from("!I", reply.body, end - 4)[0])
        for section, kind, _, ttl, end in reply.records
        if section == 1 and kind == SOA
    ]
    return min(minimum, default=0)


class _Question(asyncio.DatagramProtocol):
    """One datagram out, the first right one in."""

    def __init__(self, number: int, question: bytes) -> None:
        self.reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._number, self._question = number, question

    def datagram_received(self, data: bytes, addr: object) -> None:
        reply = parse_reply(data, self._number, self._question)
        if reply is not None and not self.reply.done():
            self.reply.set_result(reply)

    def error_received(self, exc: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(exc)


async def _over_udp(server: Server, question: bytes, *, do: bool, cd: bool, edns: bool = True) -> Reply:
    # A fresh socket has a random port: with the number, what a forger has to guess.
    number = secrets.randbits(16)
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: _Question(number, question), remote_addr=server)
    try:
        transport.sendto(make_query(number, question, RD | (CD if cd else 0), do=do, edns=edns))
        return await protocol.reply
    finally:
        transport.close()


async def _over_tcp(server: Server, question: bytes, *, do: bool, cd: bool) -> Reply:
    number = secrets.randbits(16)
    reader, writer = await asyncio.open_connection(*server)
    try:
        query = make_query(number, question, RD | (CD if cd else 0), do=do)
        writer.write(struct.pack("!H", len(query)) + query)
        size = struct.unpack("!H", await reader.readexactly(2))[0]
        reply = parse_reply(await reader.readexactly(size), number, question)
    finally:
        writer.close()
    if reply is None:
        raise Unanswered
    return reply
