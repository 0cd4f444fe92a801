"""LIST: a collection at one revision, whole or in pages, made of stored bytes."""

from __future__ import annotations

import asyncio
import base64
import binascii
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from apiserver import converting, partial, render, table
from apiserver.negotiation import View
from apiserver.request import Request
from apiserver.resources import options
from apiserver.resources.get import parse_revision, reach
from apiserver.response import Answer
from cluster.cache import Entry
from cluster.verbs import select
from kube import schema
from kube.errors import BadRequest, Gone
from kube.registry import Kind, identity

if TYPE_CHECKING:
    from apiserver.protocol import Buffer

MAX_LIMIT = 1_000_000
INCONSISTENT = -1  # the revision in a token that goes on at whatever revision is the newest
TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the "
    "continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing "
    "with the provided token results in an inconsistent list - objects that were created, modified, or deleted between "
    "the time the first chunk was returned and now may show up in the list."
)
IN_LOOP = 500  # objects to decode; more are left to a thread, so that watches go on meanwhile


class Page(NamedTuple):
    """Objects of a list at `revision`; `next` is the continue token, `remaining` how many follow (None: unknown)."""

    entries: Sequence[Entry]
    revision: int
    next: str = ""
    remaining: int | None = None


async def handle(request: Request, kind: Kind) -> Answer:
    """Answer a list. Raises BadRequest, Invalid, Timeout, Gone (a page of a revision that was compacted)."""
    view = request.view
    options.check_list(request)
    page = select_page(request, kind)
    include = request.query("includeObject")
    if kind.convert is not None:
        await converting.prepare(kind, page.entries)
        return render.finish(view, await converting.apart(kind, lambda: encode(kind, view, page, include)))
    if len(page.entries) > IN_LOOP and (view.transform or kind.from_storage is not identity):
        return render.finish(view, await asyncio.to_thread(encode, kind, view, page, include))
    return render.finish(view, encode(kind, view, page, include))


def select_page(request: Request, kind: Kind) -> Page:
    """What a list request asks for."""
    matches = select.matcher(kind, request.query("labelSelector"), request.query("fieldSelector"))
    limit = min(max(request.integer("limit") or 0, 0), MAX_LIMIT)
    token, wanted = request.query("continue"), request.query("resourceVersion")
    if token:
        if wanted and wanted != "0":
            raise BadRequest("specifying resource version is not allowed when using continue")
        revision, after = decode_token(token)
        revision, entries = _following(request, kind, revision, after)
        entries = entries[bisect_right(entries, after, key=lambda entry: entry.key[1:]) :]
    else:
        revision, entries = _first(request, kind, wanted)
        if wanted == "0":
            limit = 0  # answered from the cache, whole, as kube-apiserver does
    if matches is not None:
        entries = [entry for entry in entries if matches(entry)]
    if not limit or len(entries) <= limit:
        return Page(entries, revision)
    remaining = len(entries) - limit if matches is None else None
    return Page(entries[:limit], revision, encode_token(revision, entries[limit - 1]), remaining)


def _following(request: Request, kind: Kind, revision: int, after: tuple[str, str]) -> tuple[int, Sequence[Entry]]:
    """The collection at the revision of a token; at the present one where a client went on past a compaction.

    Raises Gone for a revision that was compacted, with the token that goes on.
    """
    if revision == INCONSISTENT:
        return _first(request, kind, "")
    try:
        return revision, _at(request, kind, revision)
    except Gone as error:
        gone = Gone(TOO_OLD)
        gone.onward = token_of(INCONSISTENT, *after)
        raise gone from error


def _first(request: Request, kind: Kind, wanted: str) -> tuple[int, Sequence[Entry]]:
    cache, namespace = request.state.cache, request.info.namespace or None
    revision = parse_revision(wanted, prefix="invalid resource version: ")
    limited = (request.integer("limit") or 0) > 0
    exact = request.query("resourceVersionMatch") == options.EXACT or (
        revision > 0 and limited and not request.query("resourceVersionMatch")
    )
    reach(cache, revision)
    if exact:
        return revision, _at(request, kind, revision)
    with cache.lock:
        return cache.revision, cache.list(kind.storage, namespace)


def _at(request: Request, kind: Kind, revision: int) -> Sequence[Entry]:
    """The collection as it was at a revision: from the cache where that reaches back so far, else from the log."""
    cache, namespace = request.state.cache, request.info.namespace or None
    if revision > cache.revision:
        cache.refresh()
    entries = cache.list_at(kind.storage, namespace, revision)
    if entries is not None:
        return entries
    return [
        Entry(change.key, change.revision, change.body)
        for change in request.state.store.at(revision, kind.storage, namespace)
    ]


def encode_token(revision: int, last: Entry) -> str:
    """A continue token: where the next page begins, and of which revision."""
    return token_of(revision, last.key.namespace, last.key.name)


def token_of(revision: int, namespace: str, name: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([revision, namespace, name])).decode().rstrip("=")


def decode_token(token: str) -> tuple[int, tuple[str, str]]:
    """The revision and the last (namespace, name) of a continue token. Raises BadRequest."""
    try:
        revision, namespace, name = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(revision), (str(namespace), str(name))
    except (ValueError, binascii.Error, TypeError) as error:
        raise BadRequest(f"invalid continue token: continue key is not valid: {error}") from error


def encode(kind: Kind, view: View, page: Page, include: str = "") -> list[Buffer]:
    """A page in a view, in pieces."""
    metadata: dict[str, Any] = {"resourceVersion": str(page.revision)}
    if page.next or schema.is_custom(kind.definition):
        metadata["continue"] = page.next
    if page.remaining is not None:
        metadata["remainingItemCount"] = page.remaining
    if view.transform == "Table":
        if include not in table.INCLUDE:
            raise BadRequest(
                f'includeObject: Unsupported value: "{include}": supported values: "None", "Metadata", "Object"'
            )
        opening, rows = table.of_list(kind, list(page.entries), orjson.dumps(metadata), view.version, include)
        return enclose(opening, rows, b"", b",")
    if view.transform:
        return [orjson.dumps(partial.of_list([entry.object() for entry in page.entries], metadata, view.version))]
    return join(kind, page.entries, orjson.dumps(metadata))


def join(kind: Kind, entries: Sequence[Entry], metadata: bytes) -> list[Buffer]:
    """A list as JSON. Items of built-in kinds come without kind and apiVersion, as Kubernetes sends them."""
    bodies = (render.versioned(kind, entry.body) for entry in entries)
    if schema.is_custom(kind.definition):
        return enclose(_opening(kind, metadata), bodies, b"", b",")
    prefix = render.head(kind)
    return enclose(_opening(kind, metadata), (_rest(body, prefix) for body in bodies), b"{", b",{")


def _rest(body: bytes, prefix: bytes) -> Buffer:
    """What follows kind and apiVersion, and the opening brace: a view, not a copy, of the cache's own bytes."""
    if body.startswith(prefix):
        return memoryview(body)[len(prefix) :]
    obj = orjson.loads(body)
    return orjson.dumps({name: value for name, value in obj.items() if name not in ("kind", "apiVersion")})[1:]


def _opening(kind: Kind, metadata: bytes) -> bytes:
    return b"".join(
        (
            b'{"kind":',
            orjson.dumps(kind.list_kind),
            b',"apiVersion":',
            orjson.dumps(kind.api_version),
            b',"metadata":',
            metadata,
            b',"items":[',
        )
    )


def enclose(opening: bytes, items: Iterable[Buffer], before: bytes, between: bytes) -> list[Buffer]:
    """The pieces of a list: `before` the first item, `between` items, and the end."""
    pieces: list[Buffer] = [opening]
    lead = before
    for item in items:
        pieces += (lead, item)
        lead = between
    pieces.append(b"]}")
    return pieces
