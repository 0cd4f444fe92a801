"""WATCH: the present state or what happened since a revision, then every change as it comes."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Iterable

import orjson

from apiserver import converting, negotiation
from apiserver.protocol import chunks
from apiserver.request import Request
from apiserver.resources import options
from apiserver.resources.get import parse_revision
from apiserver.response import Answer, Stream
from apiserver.watchers import CHUNK, Watcher
from cluster.cache import Entry, Event
from cluster.store import Change
from cluster.verbs import select
from kube import selectors
from kube.errors import ApiError, BadRequest, Gone
from kube.registry import Kind

BOOKMARK_EVERY = 55.0
_DEFAULT_TIMEOUT = (1800.0, 3600.0)  # spread, so that clients do not all come back at once


async def handle(request: Request, kind: Kind) -> Answer:
    """Open a watch. Raises BadRequest, Invalid; a compacted revision is told in the stream, as Kubernetes does."""
    view = request.view
    options.check_watch(request)
    timeout = request.integer("timeoutSeconds")
    revision = parse_revision(request.query("resourceVersion"))
    fields = request.query("fieldSelector")
    if request.info.name:
        if fields and ("metadata.name", request.info.name, True) not in selectors.parse_fields(fields):
            raise BadRequest("fieldSelector metadata.name doesn't match requested name")
        fields = fields or f"metadata.name={request.info.name}"
    matches = select.matcher(kind, request.query("labelSelector"), fields)
    watcher = Watcher(
        kind,
        request.info.namespace or None if kind.namespaced else None,
        matches,
        view,
        request.query("includeObject"),
        since=0,
    )
    ticket, direct = request.ticket, request.scope.get("direct")
    if ticket is not None and direct is not None:
        watcher.belong(ticket.account, request.state.fairness.accounts.bytes, direct.protocol.stalled)
    initial = await _initial(request, watcher, revision)
    lasts = float(timeout) if timeout else random.uniform(*_DEFAULT_TIMEOUT)
    content_type = negotiation.JSON if not view.yaml else negotiation.YAML
    hub = request.state.hub
    return Stream(_stream(request, watcher, initial, lasts), content_type, release=lambda: hub.remove(watcher))


async def _initial(request: Request, watcher: Watcher, revision: int) -> Iterable[bytes]:
    """The lines that come first; those of a kind with a webhook are made before the answer begins, and may fail."""
    kind, hub = watcher.kind, request.state.hub
    if kind.convert is None:
        return begin(request, watcher, revision)
    if revision <= 0 or request.flag("sendInitialEvents"):
        await converting.prepare(kind, request.state.cache.list(kind.storage, watcher.namespace))
    lines = begin(request, watcher, revision)
    try:
        return await converting.apart(kind, lambda: list(lines))
    except BaseException:
        hub.remove(watcher)
        raise


def begin(request: Request, watcher: Watcher, revision: int) -> Iterable[bytes]:
    """Register the watcher; returns the lines that come first, made as they are sent.

    No change is missed or told twice in between.
    """
    state = request.state
    bookmarks = request.flag("allowWatchBookmarks")
    with_state = request.flag("sendInitialEvents") if request.has_query("sendInitialEvents") else revision <= 0
    if revision == -1 or revision > state.cache.revision:
        state.cache.refresh()
    with state.cache.lock:
        present = state.cache.revision
        watcher.since = present
        state.hub.add(watcher)
        entries = state.cache.list(watcher.kind.storage, watcher.namespace) if with_state else []
        remembered = None if with_state or revision <= 0 else state.cache.events_since(revision)
    if with_state:
        closing = (
            [bookmark(watcher, present, initial_end=True)] if bookmarks and request.flag("sendInitialEvents") else []
        )
        chosen = (e for e in entries if watcher.matches is None or watcher.matches(e))
        return itertools.chain((watcher.line("ADDED", e) for e in chosen), closing)
    return _replay(request, watcher, remembered, revision, present) if revision > 0 else ()


def _replay(
    request: Request, watcher: Watcher, remembered: list[Event] | None, revision: int, present: int
) -> Iterable[bytes]:
    """What happened after `revision`, from memory or from the log; an ERROR event if that is too long ago, or not yet."""
    try:
        if revision > present:
            # Of another history, from before a restore: a client that waited for it would be blind until then.
            raise Gone(f"too large resource version: {revision} (current: {present})")
        events = remembered if remembered is not None else _logged(request, watcher, revision, present)
        for event in events:
            wanted = event.key.storage == watcher.kind.storage and watcher.namespace in (None, event.key.namespace)
            seen = watcher.seen_as(event) if wanted and event.revision <= present else None
            if seen:
                yield watcher.line(*seen)
    except ApiError as error:
        watcher.overrun = True
        yield b'{"type":"ERROR","object":' + orjson.dumps(error.status()) + b"}\n"


def _logged(request: Request, watcher: Watcher, revision: int, present: int) -> Iterable[Event]:
    store, at = request.state.store, revision
    while at < present:
        changes = store.changes_since(at, 1000, [watcher.kind.storage])
        for change in changes:
            # Only a selector asks how the object was before.
            before = store.before(change) if watcher.matches is not None and change.type != "ADDED" else None
            yield Event(change.type, _entry(change), _entry(before) if before else None, change.at)
        if len(changes) < 1000:
            return
        at = changes[-1].revision


def _entry(change: Change) -> Entry:
    return Entry(change.key, change.revision, change.body)


def bookmark(watcher: Watcher, revision: int, initial_end: bool = False) -> bytes:
    """A BOOKMARK event: the watch has told everything up to `revision`."""
    metadata: dict[str, object] = {"resourceVersion": str(revision), "creationTimestamp": None}
    if initial_end:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    obj = {"kind": watcher.kind.kind, "apiVersion": watcher.kind.api_version, "metadata": metadata}
    return b'{"type":"BOOKMARK","object":' + orjson.dumps(obj) + b"}\n"


async def _stream(request: Request, watcher: Watcher, initial: Iterable[bytes], lasts: float) -> AsyncIterator[bytes]:
    """The lines of a watch until it times out, is cut, or the client goes away."""
    loop = asyncio.get_running_loop()
    end = loop.time() + lasts
    timer = loop.call_later(lasts, watcher.wake)
    gone = asyncio.ensure_future(request.gone())
    gone.add_done_callback(lambda _: watcher.wake())
    bookmarks = asyncio.ensure_future(_bookmark(request, watcher)) if request.flag("allowWatchBookmarks") else None
    try:
        for chunk in chunks(initial, CHUNK):
            yield chunk
        while not gone.done() and not watcher.overrun and loop.time() < end:
            chunk = await watcher.take()
            if chunk:
                yield chunk
    finally:
        timer.cancel()
        gone.cancel()
        if bookmarks:
            bookmarks.cancel()


async def _bookmark(request: Request, watcher: Watcher) -> None:
    """Tell the client from time to time how far it has seen, so that it can resume there after a break."""
    while True:
        await asyncio.sleep(BOOKMARK_EVERY)
        # Events are handed out in this thread in their order: what the cache had a moment ago is all in the queue.
        seen = request.state.cache.revision
        await asyncio.sleep(0.1)
        watcher.put(bookmark(watcher, max(watcher.since, seen)))
