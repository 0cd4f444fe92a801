"""Keeps a registry in step with the CRD objects of a cluster; in one process, also establishes them.

Every process that serves or handles custom kinds has a `Follower`. That of the API server is given a session: it then
accepts the names of new CRDs (conditions NamesAccepted and Established), and removes the objects of a CRD that is gone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cluster import clock, crd
from cluster.crd.definition import is_true
from cluster.errors import ApiError, Conflict, NotFound
from cluster.registry import Kind, Registry

if TYPE_CHECKING:
    from cluster.cache import Cache, Event
    from cluster.verbs import Session

Json = dict[str, Any]
STORAGE = "customresourcedefinitions.apiextensions.k8s.io"
log = logging.getLogger(__name__)


class Follower:
    """`start()` reads what there is and follows from there; `close()` ends it."""

    def __init__(self, registry: Registry, cache: Cache, session: Session | None = None) -> None:
        self.registry, self.cache, self.session = registry, cache, session
        self._kinds: dict[str, list[Kind]] = {}
        self._lock = threading.RLock()
        self._due: set[str] = set()
        self._wake = threading.Event()
        self._ended = False
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        self._unsubscribe = self.cache.subscribe(self._events)
        for entry in self.cache.list(STORAGE):
            self._changed(entry.object())
        if self.session is not None:
            threading.Thread(target=self._establish_loop, name="crd-establish", daemon=True).start()

    def close(self) -> None:
        self._ended = True
        self._wake.set()
        if self._unsubscribe:
            self._unsubscribe()

    def _events(self, events: Sequence[Event]) -> None:
        """Called by the cache for every change; must be quick and must not write."""
        for event in events:
            if event.key.storage == STORAGE:
                if event.type == "DELETED":
                    self._gone(event.key.name)
                elif event.entry is not None:
                    self._changed(event.entry.object())

    def _changed(self, obj: Json) -> None:
        name = obj["metadata"]["name"]
        if is_true(obj, "Established"):
            self._register(name, obj)
        if self.session is not None and (not is_true(obj, "Established") or _outdated(obj)):
            self._due.add(name)
            self._wake.set()

    def _register(self, name: str, obj: Json) -> None:
        with self._lock:
            new = crd.kinds(obj)
            wanted = {(kind.group, kind.version, kind.plural) for kind in new}
            old = [kind for kind in self._kinds.get(name, ())
                   if (kind.group, kind.version, kind.plural) not in wanted]
            for kind in old:
                crd.forget(kind)
            self.registry.unregister(*old)
            self.registry.register(*new)
            self._kinds[name] = new

    def _gone(self, name: str) -> None:
        with self._lock:
            kinds = self._kinds.pop(name, [])
        if self.session is not None and kinds:
            threading.Thread(target=self._remove, args=(kinds,), name=f"crd-remove-{name}", daemon=True).start()
        else:
            self._forget(kinds)

    def _remove(self, kinds: list[Kind]) -> None:
        """Delete the objects of a kind that is gone, then the kind."""
        assert self.session is not None
        for entry in self.cache.list(kinds[0].storage):
            try:
                self.session.delete(kinds[0], entry.key.namespace, entry.key.name)
            except NotFound:
                continue
            except ApiError as error:
                log.warning("object %s of a deleted custom kind stays: %s", entry.key, error.message)
        self._forget(kinds)

    def _forget(self, kinds: list[Kind]) -> None:
        with self._lock:
            current = {id(kind) for known in self._kinds.values() for kind in known}
            gone = [kind for kind in kinds if id(kind) not in current]
            self.registry.unregister(*gone)
            for kind in gone:
                if self.registry.lookup(kind.group, kind.version, kind.plural) is None:
                    crd.forget(kind)

    def _establish_loop(self) -> None:
        while not self._ended:
            self._wake.wait(timeout=5)
            self._wake.clear()
            for name in list(self._due):
                self._due.discard(name)
                try:
                    self._establish(name)
                except NotFound:
                    continue
                except ApiError as error:
                    log.warning("custom resource definition %s cannot be established yet: %s", name, error.message)
                    if isinstance(error, Conflict) or error.code >= 500:
                        self._due.add(name)

    def _establish(self, name: str) -> None:
        assert self.session is not None
        others = [entry.object() for entry in self.cache.list(STORAGE) if entry.key.name != name]
        kind = self.session.registry.by_storage(STORAGE)
        if kind is not None:
            self.session.mutate(kind, "", name, lambda obj: _accepted(obj, others), subresource="status")


def _outdated(obj: Json) -> bool:
    """Whether the accepted names differ from the wanted ones."""
    return (obj.get("status") or {}).get("acceptedNames") != obj["spec"]["names"]


def _accepted(obj: Json, others: list[Json]) -> Json:
    """The CRD with its status: names accepted unless another CRD of the group has them."""
    names, status = obj["spec"]["names"], obj.setdefault("status", {})
    conflict = _conflict(obj, others)
    if conflict is None:
        status["acceptedNames"] = dict(names)
        _condition(status, "NamesAccepted", "True", "NoConflicts", "no conflicts found")
        _condition(status, "Established", "True", "InitialNamesAccepted", "the initial names have been accepted")
    else:
        _condition(status, "NamesAccepted", "False", *conflict)
        if not is_true(obj, "Established"):
            _condition(status, "Established", "False", "NotAccepted", "not all names are accepted")
    stored = next(version["name"] for version in obj["spec"]["versions"] if version.get("storage"))
    if stored not in (status.get("storedVersions") or ()):
        status["storedVersions"] = [*(status.get("storedVersions") or ()), stored]
    return obj


def _conflict(obj: Json, others: list[Json]) -> tuple[str, str] | None:
    """(reason, message) where another CRD of the same group holds one of the names."""
    names = obj["spec"]["names"]
    taken = [(other.get("status") or {}).get("acceptedNames") or {} for other in others
             if other["spec"]["group"] == obj["spec"]["group"]]
    resources = {text for held in taken for text in (held.get("plural"), held.get("singular"),
                                                     *(held.get("shortNames") or ())) if text}
    kinds = {text for held in taken for text in (held.get("kind"), held.get("listKind")) if text}
    for key, reason in (("plural", "PluralConflict"), ("singular", "SingularConflict")):
        if names.get(key) in resources:
            return reason, f'"{names[key]}" is already in use'
    for short in names.get("shortNames") or ():
        if short in resources:
            return "ShortNamesConflict", f'"{short}" is already in use'
    for key, reason in (("kind", "KindConflict"), ("listKind", "ListKindConflict")):
        if names.get(key) in kinds:
            return reason, f'"{names[key]}" is already in use'
    return None


def _condition(status: Json, kind: str, value: str, reason: str, message: str) -> None:
    conditions = status.get("conditions") or []
    old = next((c for c in conditions if c.get("type") == kind), None)
    since = old["lastTransitionTime"] if old and old.get("status") == value else clock.now()
    new = {"type": kind, "status": value, "lastTransitionTime": since, "reason": reason, "message": message}
    status["conditions"] = [c for c in conditions if c.get("type") != kind] + [new]
