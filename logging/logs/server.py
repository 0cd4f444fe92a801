"""The pages of the log store.

    POST /ingest      documents, see `logs.record`
    POST /search      {query, from, to, namespaces, scope, limit, order: newest | oldest, after} -> {lines, next}
    POST /histogram   {query, …, buckets} -> {interval, buckets: [[ms, {level: lines}]], total, from, to, dropped_until}
    POST /top         {query, …, field, limit} -> {values: [[value, lines]], others, sampled}
    POST /around      {line, scope, limit} -> {before: [lines], after: [lines]}, of the same container, oldest first
    POST /tail        {query, …} -> a stream of {"lines": […]} and, each second, {"beat": true}
    POST /download    {query, …, format: text | json, limit} -> a stream of lines, oldest first

Every question but /ingest has a `scope` (see `search.scope`): what its user may see. Times are RFC 3339 or `now-15m`.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import orjson

from client.access import Access
from kube import clock
from logs import exposition
from logs.index.parts import Full
from logs.query import fields
from logs.query.nodes import AnyOf, Not, both
from logs.questions import BadQuery, Question
from logs.search.backend import MAX_LIMIT, Asked, Backend, Page, Unavailable
from web.http1 import JSON, METRICS, NDJSON, TEXT, Refusal
from web.limits import configured
from web.server import Answer, Request, Server, routes
from web.server import Page as WebPage

MAX_BODY = 16 << 20  # bytes of one /ingest, as sent and unpacked
# The dashboard asks for all its users from one address, and each follower holds a connection.
LIMITS = configured(body_bytes=MAX_BODY, idle_seconds=120.0, connections=256, per_address=192)
MAX_DOWNLOAD = 1_000_000  # lines
BEAT = 1.0
FOLLOWERS = 64  # /tail at once
SEARCHES = 4  # questions answered at once
READ, WRITE = "/search", "/ingest"  # the two rights

Ask = Callable[[Question], Awaitable[object]]


class Pages:
    """What the store answers. `ingest` is None where another store takes the lines."""

    def __init__(
        self, backend: Backend, access: Access, tally: exposition.Tally, ingest: exposition.Writes | None = None
    ) -> None:
        self._backend, self._access, self._tally, self._ingest = backend, access, tally, ingest
        self._gate = asyncio.Semaphore(SEARCHES)
        self._arrived = asyncio.Event()

    def web(self) -> Server:
        return Server(routes(self.pages()), LIMITS, problem)

    def pages(self) -> dict[tuple[str, str], WebPage]:
        pages: dict[tuple[str, str], WebPage] = {
            ("GET", "/healthz"): self._health,
            ("GET", "/readyz"): self._ready,
            ("GET", "/metrics"): self._metrics,
            ("POST", "/ingest"): self._guarded(WRITE, self._take),
            ("POST", "/tail"): self._guarded(READ, self._tail),
            ("POST", "/download"): self._guarded(READ, self._download),
        }
        for name, answer in (
            ("search", self._search),
            ("histogram", self._histogram),
            ("top", self._top),
            ("around", self._around),
        ):
            pages["POST", f"/{name}"] = self._guarded(READ, self._asked(answer))
        return pages

    def _guarded(self, right: str, page: WebPage) -> WebPage:
        async def checked(request: Request) -> Answer:
            await self._access.check(request.headers.get("authorization", ""), right, "post")
            return await page(request)

        return checked

    async def close(self) -> None:
        """Commits what was taken."""
        await self._backend.close()

    # -- taking lines --------------------------------------------------------------------------------------------------

    async def _take(self, request: Request) -> Answer:
        if self._ingest is None:
            raise Refusal(
                503, "the lines go to Elasticsearch: the embedded store is switched off", {"Retry-After": "30"}
            )
        lines = unpacked(request.headers.get("content-encoding", "identity"), await request.read()).split(b"\n")
        if lines and not lines[-1]:
            lines.pop()
        try:
            results = await self._ingest.write(lines)
        except Full as full:
            raise Refusal(503, str(full), {"Retry-After": "10"}) from full
        found = [
            {"line": number, "status": result.status, "reason": result.reason}
            for number, result in enumerate(results)
            if result.status != "ok"
        ]
        return Answer(200, JSON, orjson.dumps({"results": found}))

    def committed(self) -> None:
        """Lines have come: followers are woken."""
        event, self._arrived = self._arrived, asyncio.Event()
        event.set()

    # -- questions -----------------------------------------------------------------------------------------------------

    def _asked(self, answer: Ask) -> WebPage:
        async def page(request: Request) -> Answer:
            began = time.monotonic()
            try:
                async with self._gate:
                    found = await answer(Question(await request.read()))
            except BadQuery as error:
                return wrong(error)
            except Unavailable as error:
                self._tally.failed += 1
                raise Refusal(503, str(error)) from error
            self._tally.answered(time.monotonic() - began)
            return Answer(200, JSON, orjson.dumps(found))

        return page

    async def _search(self, question: Question) -> object:
        order = question.text("order", "newest")
        if order not in ("newest", "oldest"):
            raise Refusal(400, "order: newest or oldest is needed")
        page = await self._backend.search(question.asked(), question.limit(), order == "newest", question.after())
        return {"lines": fragments(page.lines), "next": page.next and [clock.stamp_nano(page.next.time), page.next.id]}

    async def _histogram(self, question: Question) -> object:
        asked = question.asked()
        interval = question.interval(asked.low, asked.high)
        buckets = await self._backend.histogram(asked, interval)
        return {
            "interval": interval,
            "buckets": buckets,
            "total": sum(sum(levels.values()) for _, levels in buckets),
            "from": clock.stamp_nano(asked.low),
            "to": clock.stamp_nano(asked.high),
            "dropped_until": clock.stamp_nano(dropped) if (dropped := self._backend.dropped_until) else None,
        }

    async def _top(self, question: Question) -> object:
        top = await self._backend.top(question.asked(), question.field(), question.top_limit())
        return {"values": top.values, "others": top.others, "sampled": top.sampled}

    async def _around(self, question: Question) -> object:
        same, here = question.container()
        limit = question.number("limit", 20, MAX_LIMIT // 2)
        asked = Asked(both(same, Not(AnyOf(fields.ID, (here.id,)))), 0, (1 << 63) - 1)
        before = await self._backend.search(asked, limit, True, here)
        after = await self._backend.search(asked, limit, False, here)
        return {"before": fragments(before.lines[::-1]), "after": fragments(after.lines)}

    # -- streams -------------------------------------------------------------------------------------------------------

    async def _tail(self, request: Request) -> Answer:
        if self._tally.following >= FOLLOWERS:
            raise Refusal(429, f"{FOLLOWERS} follow already", {"Retry-After": "10"})
        try:
            asked = Question(await request.read()).asked()
        except BadQuery as error:
            return wrong(error)
        return Answer(200, NDJSON, self._followed(asked))

    async def _followed(self, asked: Asked) -> AsyncIterator[bytes]:
        self._tally.following += 1
        try:
            mark: Any = None
            while True:
                arrived = self._arrived
                try:
                    lines, mark = await self._backend.arrivals(asked, mark, MAX_LIMIT)
                except Unavailable as error:
                    lines = []
                    yield orjson.dumps({"error": str(error)}) + b"\n"
                yield orjson.dumps({"lines": fragments(lines)} if lines else {"beat": True}) + b"\n"
                if len(lines) < MAX_LIMIT:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(arrived.wait(), BEAT)
        finally:
            self._tally.following -= 1

    async def _download(self, request: Request) -> Answer:
        question = Question(await request.read())
        form = question.text("format", "text")
        if form not in ("text", "json"):
            raise Refusal(400, "format: text or json is needed")
        try:
            asked, limit = question.asked(), question.number("limit", 100_000, MAX_DOWNLOAD)
            first = await self._backend.search(asked, min(limit, MAX_LIMIT), False, None)
        except BadQuery as error:
            return wrong(error)
        except Unavailable as error:
            raise Refusal(503, str(error)) from error
        return Answer(200, NDJSON if form == "json" else TEXT, self._all(asked, limit, form == "json", first))

    async def _all(self, asked: Asked, limit: int, json: bool, page: Page) -> AsyncIterator[bytes]:
        """Page after page; an end before the last line says that it is one, and why."""
        left = limit
        while True:
            yield b"".join(line + b"\n" if json else plain(line) for line in page.lines)
            left -= len(page.lines)
            if page.next is None:
                return
            if left <= 0:
                words = f"cut after {limit} lines: choose a shorter time or a narrower query"
                break
            try:
                page = await self._backend.search(asked, min(left, MAX_LIMIT), False, page.next)
            except Unavailable as error:
                words = f"cut: {error}"
                break
        yield orjson.dumps({"cut": words}) + b"\n" if json else f"[{words}]\n".encode()

    # -- state ---------------------------------------------------------------------------------------------------------

    async def _health(self, request: Request) -> Answer:
        return Answer(200, TEXT, b"ok\n")

    async def _ready(self, request: Request) -> Answer:
        why = await self._backend.ready()
        return Answer(503 if why else 200, TEXT, f"{why or 'ok'}\n".encode())

    async def _metrics(self, request: Request) -> Answer:
        return Answer(
            200, METRICS, await asyncio.to_thread(exposition.render, self._tally, self._ingest, self._backend.name)
        )


def problem(refusal: Refusal) -> Answer:
    """`{"error": "…"}`."""
    return Answer(refusal.status, JSON, orjson.dumps({"error": str(refusal)}), refusal.headers)


def wrong(error: BadQuery) -> Answer:
    """A query that cannot be read, with the place of what is wrong."""
    return Answer(400, JSON, orjson.dumps({"error": str(error), "column": error.column, "length": error.length}))


def fragments(lines: list[bytes]) -> list[orjson.Fragment]:
    """Encoded documents inside an answer."""
    return [orjson.Fragment(line) for line in lines]


def plain(line: bytes) -> bytes:
    """Time, pod and container, and the message."""
    found = orjson.loads(line)
    kubernetes = found.get("kubernetes") or {}
    where = "/".join(filter(None, (kubernetes.get(name) for name in ("namespace", "pod", "container"))))
    place = where or kubernetes.get("node") or found.get("source")
    return f"{found['@timestamp']} {place} {found.get('message', '')}\n".encode()


def unpacked(encoding: str, body: bytes) -> bytes:
    """The body of a request, out of gzip when it is packed. Raises Refusal."""
    if encoding == "identity":
        return body
    if encoding != "gzip":
        raise Refusal(400, "Content-Encoding: gzip or none is read")
    unpacker = zlib.decompressobj(31)
    try:
        body = unpacker.decompress(body, MAX_BODY)
    except zlib.error as error:
        raise Refusal(400, f"the body is no gzip: {error}") from error
    if unpacker.unconsumed_tail:
        raise Refusal(413, f"the body has more than {MAX_BODY} bytes when it is unpacked: send less at once")
    if not unpacker.eof:
        raise Refusal(400, "the body is no whole gzip")
    return body
