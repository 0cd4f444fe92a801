"""Searches in Elasticsearch: the same answers as the embedded store's."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import orjson

import environment
from kube.objects import Json
from logs.elastic.template import NUMBERS, PREFIX
from logs.query import fields, moments
from logs.query.nodes import Node, Range, both
from logs.search.backend import MAX_TIES, SAMPLE, Asked, Page, Place, Top, Unavailable, count_values, page_of
from logs.search.dsl import Compiler, path
from web.client import HttpSession

Row = tuple[Place, bytes]
INDICES = f"/{PREFIX}*"
OPTIONS = "?ignore_unavailable=true&allow_no_indices=true"
TIMEOUT = 9.0  # seconds for an answer
REFRESH = 3.0  # seconds between two refreshes for followers: a new line is seen after one
LATE = 60 * 10**9  # nanoseconds that a line may come later than its time, and still be seen by followers


class Mark(NamedTuple):
    """Where a follower is: the time it looks from, and what of it was shown."""

    low: int
    shown: frozenset[str]


class Elastic:
    """A `logs.search.backend.Backend`."""

    name = "elasticsearch"
    dropped_until = 0  # the shippers drop there, and keep no account

    def __init__(self, server: HttpSession) -> None:
        self._server = server
        self._refreshed = -REFRESH
        self._answered = False

    @classmethod
    def at(cls, url: str) -> Elastic:
        """With the credentials that the environment has. Raises ValueError."""
        words = environment.LOG_STORE_AUTHORIZATION.get()
        return cls(HttpSession(url, (lambda: {"Authorization": words}) if words else dict, timeout=TIMEOUT, again=True))

    async def _ask(self, method: str, path: str, body: Json | None = None) -> Json:
        try:
            answer = await self._server.request(
                method, path, orjson.dumps(body) if body else b"", {"Content-Type": "application/json"}
            )
        except OSError as error:
            raise Unavailable(f"no answer from Elasticsearch: {error or type(error).__name__}") from error
        if answer.status >= 300:
            raise Unavailable(f"Elasticsearch answers {answer.status}: {_reason(answer.body)}")
        self._answered = True
        found: Json = orjson.loads(answer.body)
        if found.get("timed_out") or (found.get("_shards") or {}).get("failed"):
            failures = (found.get("_shards") or {}).get("failures") or []
            why = str(failures[0].get("reason", {}).get("reason"))[:500] if failures else "it took too long"
            raise Unavailable(f"Elasticsearch could not search all of the lines: {why}")
        return found

    async def _search(self, node: Node, body: Json) -> Json:
        compiled = Compiler(node)
        return await self._ask(
            "POST",
            f"{INDICES}/_search{OPTIONS}",
            {
                "query": {"bool": {"filter": [compiled.query]}},
                "runtime_mappings": compiled.runtime,
                "track_total_hits": False,
                "timeout": f"{int(TIMEOUT * 1000) - 500}ms",
                **body,
            },
        )

    # -- lines, in the order of (time, id) -----------------------------------------------------------------------------

    async def search(self, asked: Asked, limit: int, newest_first: bool, after: Place | None) -> Page:
        rows: list[Row] = []
        node = asked.within
        if after is not None:
            tied = await self._tied(node, after.time, newest_first)
            rows = [row for row in tied if (row[0].id < after.id if newest_first else row[0].id > after.id)]
            bounds = (None, after.time - 1) if newest_first else (after.time + 1, None)
            node = both(node, Range(fields.TIME, *bounds))
        if len(rows) <= limit:
            rows += await self._ordered(node, limit + 1 - len(rows), newest_first)
        return page_of(rows, limit)

    async def _ordered(self, node: Node, limit: int, newest_first: bool) -> list[Row]:
        # Elasticsearch does not sort by _id: a group of one nanosecond that is cut at the end is read whole.
        rows = await self._rows(node, limit + 1, newest_first)
        if len(rows) > limit:
            last = rows[-1][0].time
            rows = [row for row in rows if row[0].time != last]
            if len(rows) < limit:
                rows += await self._tied(node, last, newest_first)
        return sorted(rows, key=lambda row: row[0], reverse=newest_first)

    async def _tied(self, node: Node, nanos: int, newest_first: bool) -> list[Row]:
        rows = await self._rows(both(node, Range(fields.TIME, nanos, nanos)), MAX_TIES, newest_first)
        return sorted(rows, key=lambda row: row[0], reverse=newest_first)

    async def _rows(self, node: Node, limit: int, newest_first: bool) -> list[Row]:
        order = {"@timestamp": {"order": "desc" if newest_first else "asc", "unmapped_type": "date_nanos"}}
        found = await self._search(node, {"size": limit, "sort": [order]})
        rows: list[Row] = []
        for hit in found["hits"]["hits"]:
            source = hit["_source"]
            source.pop(NUMBERS, None)
            line = orjson.dumps({"_id": hit["_id"], **source})
            rows.append((Place(moments.nanoseconds(source["@timestamp"]), hit["_id"]), line))
        return rows

    # -- counts --------------------------------------------------------------------------------------------------------

    async def histogram(self, asked: Asked, interval: int) -> list[tuple[int, dict[str, int]]]:
        found = await self._search(
            asked.within,
            {
                "size": 0,
                "aggs": {
                    "time": {
                        "date_histogram": {
                            "field": "@timestamp",
                            "fixed_interval": f"{interval}ms",
                            "min_doc_count": 1,
                        },
                        "aggs": {"level": {"terms": {"field": "level", "size": 10}}},
                    }
                },
            },
        )
        buckets = []
        for bucket in _buckets(found, "time"):
            levels = {one["key"]: one["doc_count"] for one in bucket["level"]["buckets"]}
            without = bucket["doc_count"] - sum(levels.values())
            buckets.append((int(bucket["key"]), {**levels, **({"": without} if without else {})}))
        return buckets

    async def top(self, asked: Asked, field: fields.Field, limit: int) -> Top:
        if field.kind == "pair":
            page = await self.search(asked, SAMPLE, True, None)
            return count_values([orjson.loads(line) for line in page.lines], field, limit)
        wanted = {"top": {"terms": {"field": path(field), "size": limit}}}
        found = await self._search(asked.within, {"size": 0, "aggs": wanted})
        values = [(one["key"], one["doc_count"]) for one in _buckets(found, "top")]
        others = ((found.get("aggregations") or {}).get("top") or {}).get("sum_other_doc_count", 0)
        return Top(values, others, 0)

    # -- following -----------------------------------------------------------------------------------------------------

    async def arrivals(self, asked: Asked, mark: Any, limit: int) -> tuple[list[bytes], Mark]:
        """The newest lines that were not shown yet: of more than `limit` between two looks, the newest `limit`."""
        now = time.time_ns()
        if mark is None:
            rows = await self._rows(Asked(asked.tree, now - LATE, now + LATE).within, MAX_TIES, True)
            return [], Mark(now - LATE, frozenset(place.id for place, _ in rows))
        if time.monotonic() - self._refreshed > REFRESH:
            self._refreshed = time.monotonic()
            await self._ask("POST", f"{INDICES}/_refresh{OPTIONS}")
        low = max(mark.low, now - LATE)
        rows = await self._rows(Asked(asked.tree, low, now + LATE).within, limit, True)
        fresh = [line for place, line in reversed(rows) if place.id not in mark.shown]
        shown = frozenset(place.id for place, _ in rows) | mark.shown
        return fresh, Mark(low, shown if len(shown) <= 4 * MAX_TIES else frozenset(place.id for place, _ in rows))

    async def ready(self) -> str:
        """Until it has answered once; later the pages say what is wrong, which they could not without an endpoint."""
        if not self._answered:
            try:
                await self._ask("GET", "/_cluster/health?timeout=1s")
            except Unavailable as error:
                return str(error)
        return ""

    async def close(self) -> None:
        self._server.close()


def _buckets(found: Json, name: str) -> list[Json]:
    # Without an index there are no aggregations.
    buckets: list[Json] = ((found.get("aggregations") or {}).get(name) or {}).get("buckets") or []
    return buckets


def _reason(body: bytes) -> str:
    try:
        error = orjson.loads(body).get("error")
    except (orjson.JSONDecodeError, AttributeError):
        return body[:300].decode("utf-8", "replace")
    causes = (error.get("root_cause") or [error]) if isinstance(error, dict) else [{"reason": error}]
    return str(causes[0].get("reason"))[:500]
