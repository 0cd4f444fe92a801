"""What is kept for a while only: the change log (`cluster.compaction`), and Event objects, an hour as in Kubernetes."""

from __future__ import annotations

from collections.abc import Iterable

import environment
from cluster.cache import Cache, Entry, Event
from cluster.compaction import Compactor
from controllers.runtime import Context, Controller, Result, Watch
from kube import clock
from kube.errors import ApiError, NotFound

ALL = "all"  # the only key
LOG_SECONDS, EVENT_SECONDS = 60.0, 30.0  # pause between two passes
BATCH = 500  # deletions in one commit


def _once(entry: Entry, cache: Cache) -> Iterable[str]:
    """Mapper: any namespace starts the round, which then goes on by itself."""
    yield ALL


def _is_new(event: Event) -> bool:
    return event.type == "ADDED"


class ChangeLogController(Controller):
    """Compacts the change log; a long backlog in turns of a second, so that other controllers get theirs."""

    name = "changelog"
    watches = (Watch("namespaces", _once, _is_new),)

    def __init__(self) -> None:
        self._compactor: Compactor | None = None

    def reconcile(self, key: str, ctx: Context) -> Result:
        if self._compactor is None:
            self._compactor = Compactor(
                ctx.cache.store, environment.HISTORY_HOURS.get(), environment.HISTORY_CHANGES.get(), ctx.now
            )
        return LOG_SECONDS if self._compactor.run() else 0.1


class EventExpiryController(Controller):
    """Deletes Event objects an hour after they were last written."""

    name = "eventexpiry"
    watches = (Watch("namespaces", _once, _is_new),)

    def reconcile(self, key: str, ctx: Context) -> Result:
        limit = ctx.now() - environment.EVENT_TTL.get()
        old = [entry for entry in ctx.cache.list("events") if _expired(entry, limit)]
        for result in ctx.session.delete_many([("events", e.key.namespace, e.key.name) for e in old[:BATCH]]):
            if isinstance(result, ApiError) and not isinstance(result, NotFound):
                raise result
        return EVENT_SECONDS if len(old) <= BATCH else 0.1


def _expired(entry: Entry, limit: float) -> bool:
    """Whether an event was last written before `limit`. Only old ones are decoded: a series goes on long after its start."""
    created = clock.parse(entry.meta.creationTimestamp) if entry.meta.creationTimestamp else 0.0
    if created >= limit:
        return False
    event = entry.object()
    series = event.get("series") or {}
    times = (event.get("lastTimestamp"), event.get("eventTime"), series.get("lastObservedTime"))
    return all(not text or clock.parse(text) < limit for text in times)
