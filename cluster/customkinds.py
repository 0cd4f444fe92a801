"""Custom kinds: keeps a registry in step with the CRD objects of a cluster; in one process, also establishes them.

Every process that serves or handles custom kinds has a `Follower`. That of the API server is given a session: it then
accepts the names of new CRDs (conditions NamesAccepted and Established), and removes the objects of one that is deleted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from cluster import conversion
from cluster.store import Key
from kube import crd
from kube.conditions import is_true
from kube.crd import deletion, names
from kube.errors import ApiError, Conflict, NotFound
from kube.objects import Json
from kube.registry import Kind, Registry

if TYPE_CHECKING:
    from cluster.cache import Cache, Event
    from cluster.verbs import Session

log = logging.getLogger(__name__)

MOMENT = 0.008  # seconds: definitions that come together are looked at together, and who made one sees it as he made it


class Follower:
    """`start()` reads what there is and follows from there; `close()` ends it.

    `replaced` is called with the storage name of a kind that was served and has changed, or is gone.
    """

    def __init__(
        self,
        registry: Registry,
        cache: Cache,
        session: Session | None = None,
        replaced: Callable[[str], None] = lambda storage: None,
    ) -> None:
        self.registry, self.cache, self.session, self._replaced = registry, cache, session, replaced
        self._kinds: dict[str, list[Kind]] = {}
        self._made_of: dict[str, tuple[Json, bool]] = {}
        self._lock = threading.RLock()
        self._due: set[str] = set()
        self._wake = threading.Event()
        self._ended = False
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        self._unsubscribe = self.cache.subscribe(self._events)
        for entry in self.cache.list(deletion.DEFINITIONS):
            self._changed(entry.object())
        if self.session is not None:
            threading.Thread(target=self._serve_loop, name="crd-follow", daemon=True).start()

    def close(self) -> None:
        self._ended = True
        self._wake.set()
        if self._unsubscribe:
            self._unsubscribe()

    def _events(self, events: Sequence[Event]) -> None:
        """Called by the cache for every change; must be quick and must not write."""
        for event in events:
            if event.type == "DELETED" and event.key.storage in self._due:
                self._wake.set()
            if event.key.storage == deletion.DEFINITIONS:
                if event.type == "DELETED":
                    self._gone(event.key.name)
                elif event.entry is not None:
                    self._changed(event.entry.object())

    def _changed(self, obj: Json) -> None:
        name = obj["metadata"]["name"]
        if is_true(obj.get("status"), "Established"):
            self._register(name, obj)
        if self.session is not None and (
            not is_true(obj.get("status"), "Established") or names.outdated(obj) or deletion.is_held(obj)
        ):
            self._due.add(name)
            self._wake.set()

    def _register(self, name: str, obj: Json) -> None:
        made_of = obj["spec"], is_true(obj.get("status"), "Terminating")
        with self._lock:
            if self._made_of.get(name) == made_of:
                return
            was, _ = self._made_of.get(name, (None, False))
            new = crd.kinds(obj, conversion.converter(obj, self.cache))
            before = self._kinds.get(name, [])
            wanted = {(kind.group, kind.version, kind.plural) for kind in new}
            old = [kind for kind in before if (kind.group, kind.version, kind.plural) not in wanted]
            for kind in old:
                crd.forget(kind)
            self.registry.unregister(*old)
            self.registry.register(*new)
            self._kinds[name], self._made_of[name] = new, made_of
        if before and was != obj["spec"]:
            self._replaced(name)

    def _gone(self, name: str) -> None:
        with self._lock:
            kinds = self._kinds.pop(name, [])
            self._made_of.pop(name, None)
            self.registry.unregister(*kinds)
            for kind in kinds:
                crd.forget(kind)
        self._replaced(name)

    def _serve_loop(self) -> None:
        while not self._ended:
            self._wake.wait(timeout=5)
            time.sleep(MOMENT)
            self._wake.clear()
            for name in list(self._due):
                self._due.discard(name)
                try:
                    self._serve(name)
                except NotFound:
                    continue
                except ApiError as error:
                    log.warning("custom resource definition %s must wait: %s", name, error.message)
                    if isinstance(error, Conflict) or error.code >= 500:
                        self._due.add(name)

    def _serve(self, name: str) -> None:
        """Do what a CRD waits for: let it go, or accept its names."""
        assert self.session is not None
        found = self.cache.get(Key(deletion.DEFINITIONS, "", name))
        if found is None:
            return
        if deletion.is_held(found.object()):
            self._due.add(name)  # until it is done, whatever happens
            if _finish(self.session, name, next(iter(self._kinds.get(name, ())), None)):
                self._due.discard(name)
            return
        others = [entry.object() for entry in self.cache.list(deletion.DEFINITIONS) if entry.key.name != name]
        accepted = names.accept(found.object(), others)
        if is_true(accepted["status"], "Established"):
            self._register(name, accepted)  # who sees that it is established finds it served
        self.session.mutate(deletion.DEFINITIONS, "", name, lambda obj: names.accept(obj, others), subresource="status")


def _finish(session: Session, name: str, custom: Kind | None) -> bool:
    """Delete the objects of the CRD `name`, and let it go when none is left; returns whether that was so.

    `custom`: a kind that it makes, None if it never made one. Raises ApiError when an object cannot be deleted now.
    """
    for entry in session.cache.list(name) if custom else ():
        if custom and not entry.meta.deletionTimestamp:
            try:
                session.delete(custom, entry.key.namespace, entry.key.name)
            except NotFound:
                continue
    if custom and session.cache.list(name):
        return False
    session.mutate(deletion.DEFINITIONS, "", name, deletion.release)
    return True
