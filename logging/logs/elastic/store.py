"""Writing to Elasticsearch in bulk.

Plain `_bulk` requests, not the `elasticsearch` client: importing that costs 45 MiB (the shipper has 20 in all), and its
helpers decode and encode again each document that is already encoded here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import orjson

from logs.elastic.template import MESSAGE, NAME, NUMBERS, PLAIN_MESSAGE, PREFIX, template
from logs.pairs import number, pairs
from logs.record import OK, Document, Result, Unavailable
from web.client import HttpSession
from web.http1 import Response

log = logging.getLogger("logs.elastic")

_FILTER = (
    "/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason"
)
_NDJSON = {"Content-Type": "application/x-ndjson"}
_JSON = {"Content-Type": "application/json"}
# The whole request is refused for its content: smaller parts of it may be taken, and one alone is to blame in the end.
_TOO_MUCH = frozenset({400, 413})
_LATER = frozenset({429, 502, 503, 504})


class Elasticsearch:
    """A `logs.record.Store` over one Elasticsearch address."""

    def __init__(self, server: HttpSession, refresh: str = "30s", shards: int = 1, replicas: int = 0) -> None:
        self._server = server
        self._templates = [template(refresh, shards, replicas, message) for message in (MESSAGE, PLAIN_MESSAGE)]
        self._prepared = False

    async def write(self, batch: Sequence[Document]) -> list[Result]:
        """Each document under its id with op_type create: one that is there already is a success."""
        await self._prepare()
        answer = await self._ask("POST", _FILTER, encode(batch), _NDJSON)
        if answer.status >= 300:
            after = answer.headers.get("retry-after", "")
            raise Unavailable(
                f"Elasticsearch answered {answer.status}: {_words(answer)}",
                float(after) if after.isdecimal() else None,
                too_large=answer.status in _TOO_MUCH,
            )
        decoded = orjson.loads(answer.body)
        if not decoded["errors"]:
            return [OK] * len(batch)
        return [_result(item["create"]) for item in decoded["items"]]

    async def _prepare(self) -> None:
        """The template is there before the first line is: an index that is made without it has guessed fields."""
        if self._prepared:
            return
        for body in self._templates:
            answer = await self._ask("PUT", f"/_index_template/{NAME}", orjson.dumps(body), _JSON)
            if answer.status < 300:
                self._prepared = True
                return
            if MESSAGE["type"].encode() not in answer.body:
                break
        raise Unavailable(f"the index template is refused: {_words(answer)}")

    async def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Response:
        try:
            return await self._server.request(method, path, body, headers)
        except OSError as error:
            # It may come back empty, with other data: the template is put again first.
            self._prepared = False
            raise Unavailable(f"no answer from Elasticsearch: {error!r}") from error

    async def close(self) -> None:
        self._server.close()


def encode(batch: Sequence[Document]) -> bytes:
    """The body of a bulk request."""
    parts: list[bytes] = []
    for document in batch:
        body = document.body
        # What `fields.status:>=500` is found by.
        numbers = [text for key, value in pairs(orjson.loads(body)) if (text := number(key, value))]
        if numbers:
            body = body[:-1] + b',"%b":%b}' % (NUMBERS.encode(), orjson.dumps(numbers))
        parts += (
            b'{"create":{"_index":"',
            f"{PREFIX}{document.day}".encode(),
            b'","_id":"',
            document.id.encode(),
            b'"}}\n',
            body,
            b"\n",
        )
    return b"".join(parts)


def _words(answer: Response) -> str:
    return answer.body[:300].decode("utf-8", "replace")


def _result(item: dict[str, Any]) -> Result:
    status = item["status"]
    if status < 300 or status == 409:
        return OK
    error = item.get("error") or {}
    reason = ": ".join(
        filter(None, (error.get("type"), error.get("reason"), (error.get("caused_by") or {}).get("reason")))
    )
    if (
        status in _LATER
        or status >= 500
        or error.get("type") in ("cluster_block_exception", "unavailable_shards_exception")
    ):
        return Result("retry", reason)
    return Result("rejected", f"{status} {reason}")
