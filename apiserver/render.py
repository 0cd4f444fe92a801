"""One object as an answer, in the representation that the client asked for. Stored bytes pass as they are."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import orjson

from apiserver import negotiation, partial, table
from apiserver.negotiation import View
from apiserver.response import Response
from cluster.cache import Entry
from cluster.verbs.call import Outcome
from kube import yamltext
from kube.registry import Kind, identity

if TYPE_CHECKING:
    from apiserver.protocol import Buffer


def versioned(kind: Kind, body: bytes) -> bytes:
    """A stored body in the version that the client asked for; the very bytes where they are in that version."""
    if kind.from_storage is identity or (kind.verbatim and body.startswith(head(kind))):
        return body
    return orjson.dumps(kind.from_storage(orjson.loads(body)))


@lru_cache(maxsize=512)
def head(kind: Kind) -> bytes:
    """What every body stored in a kind's version begins with."""
    return orjson.dumps({"kind": kind.kind, "apiVersion": kind.api_version})[:-1] + b","


def body(kind: Kind, view: View, stored: bytes, include: str = "") -> bytes:
    """The object's bytes in a view."""
    if view.transform == "Table":
        return orjson.dumps(table.of_object(kind, orjson.loads(versioned(kind, stored)), view.version, include))
    if view.transform:
        return orjson.dumps(partial.of_object(orjson.loads(stored), view.version))
    return versioned(kind, stored)


def entry(kind: Kind, view: View, found: Entry, include: str = "") -> Response:
    return finish(view, body(kind, view, found.body, include))


def outcome(kind: Kind, view: View, result: Outcome, status: int, warnings: list[str]) -> Response:
    """The answer to a write."""
    if result.status is not None:
        return finish(View(view.media_type), orjson.dumps(result.status), status, warnings)
    return finish(view, body(kind, view, result.body), status, warnings)


def finish(view: View, data: bytes | list[Buffer], status: int = 200, warnings: list[str] | None = None) -> Response:
    """The last step: YAML for those who asked for it."""
    pieces: list[Buffer] = [data] if isinstance(data, bytes) else data
    if view.yaml:
        return Response(yamltext.write(orjson.loads(b"".join(pieces))), status, negotiation.YAML, warnings=warnings)
    return Response([*pieces, b"\n"], status, warnings=warnings)
