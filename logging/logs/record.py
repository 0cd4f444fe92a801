"""The shape that every log line has, wherever it comes from and wherever it is kept.

A document is one JSON object:

    @timestamp   RFC 3339 in UTC with nine digits and Z, so that comparing texts compares times
    message      the line as it was written, without its newline; lines of one trace are joined with newlines
    stream       stdout | stderr; absent for what has no streams
    level        trace | debug | info | warn | error | fatal; absent when the line does not tell
    source       container | node | control-plane | event
    kubernetes   {namespace, pod, pod_uid, container, container_id, node,
                  labels: {name: value}, annotations: {name: value}, workload: {kind, name}}; what is not known is absent.
                  A control plane's line has `container` (the program's name) and `node`; an event has what it is about.
    fields       what the line's JSON or an event says besides, flattened by the store; bounded by the shipper

`_id` is 32 hexadecimal digits: BLAKE2b of container (the pod's uid, name, start), stream, identity of the file, and offsets
in it. The same line has the same `_id` and the same `@timestamp`, however often it is read; a store keeps the first and
calls the second a success. The day of `@timestamp` names the daily index, so both copies meet in one.

## The two stores

`Store.write` is the whole interface. `logs.elastic` posts to Elasticsearch's `_bulk`; `logs.ship.ingest` posts to the
embedded store's service, which is the Service `log-store` in `kube-system`, its first port:

    POST /ingest
    Content-Type: application/x-ndjson      Content-Encoding: gzip (or absent)

one document a line, `_id` first among its fields (`Document.line`). Answers:

    200 {"results": [{"line": 3, "status": "rejected", "reason": "…"}, {"line": 9, "status": "retry", "reason": "…"}]}
        `line` counts from 0; lines that are not named are kept, durably, or were there already
    413  the body is larger than the store takes: send less at once
    429, 503 (with Retry-After in seconds, or without)   nothing was taken: the same again, later
    400  the body cannot be read: {"error": "…"}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import orjson

LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
SOURCES = ("container", "node", "control-plane", "event")

Source = Literal["container", "node", "control-plane", "event"]


class Document(NamedTuple):
    """One line on its way to a store: `body` is the encoded JSON object without `_id`."""

    id: str
    time: str
    body: bytes

    @property
    def day(self) -> str:
        """The day whose index keeps it: `2026.11.21`."""
        return self.time[:10].replace("-", ".")

    @property
    def line(self) -> bytes:
        """As `/ingest` reads it, without the newline."""
        return b'{"_id":"' + self.id.encode() + b'",' + self.body[1:]


class Result(NamedTuple):
    """What became of one document: kept (also when it was there already), rejected for good, or to be sent again."""

    status: Literal["ok", "rejected", "retry"]
    reason: str = ""


OK = Result("ok")


class Unavailable(Exception):
    """The store took nothing of the batch. `retry_after` is in seconds; `too_large`: send less at once."""

    def __init__(self, why: str, retry_after: float | None = None, too_large: bool = False) -> None:
        super().__init__(why)
        self.retry_after, self.too_large = retry_after, too_large


class Store(Protocol):
    """Where documents go."""

    async def write(self, batch: Sequence[Document]) -> list[Result]:
        """One result for each document, in order. Raises Unavailable when none was taken."""

    async def close(self) -> None: ...


class Origin:
    """What is the same for all lines of one file, encoded once: source, and what Kubernetes knows of the container."""

    __slots__ = ("_tail",)

    def __init__(self, source: Source, kubernetes: Mapping[str, Any]) -> None:
        known = {name: value for name, value in kubernetes.items() if value}
        self._tail = b',"source":' + orjson.dumps(source) + b',"kubernetes":' + orjson.dumps(known)

    def encode(self, time: str, message: str, stream: str = "", level: str = "", fields: bytes = b"") -> bytes:
        """The body of a document; `fields` is an encoded JSON object."""
        return b'{"@timestamp":"%b","message":%b%b%b%b%b}' % (
            time.encode(),
            orjson.dumps(message),
            b',"stream":"%b"' % stream.encode() if stream else b"",
            b',"level":"%b"' % level.encode() if level else b"",
            self._tail,
            b',"fields":' + fields if fields else b"",
        )
