"""What admission plugins see of a write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cluster.cache import Cache, Entry
from cluster.store import Key, Write
from kube.errors import Forbidden
from kube.objects import Json
from kube.registry import Kind
from kube.users import User

if TYPE_CHECKING:
    from cluster.verbs.call import Call


@dataclass(slots=True)
class Request:
    """One write on its way: `obj` in its storage version (mutating plugins change it in place), `old` for updates.

    `operation` is CREATE, UPDATE, DELETE or CONNECT (then `obj` is what is wanted of the connection); `asked` is the kind in
    the version that the client used. `writes` are further changes to commit together with it, or not at all. `reviewed`: a
    webhook was asked about it. `annotations` are those of the event in the audit log.
    """

    operation: str
    kind: Kind
    asked: Kind
    namespace: str
    name: str
    subresource: str
    obj: Json
    old: Json | None
    user: User
    cache: Cache
    cluster: int
    dry_run: bool
    warnings: list[str]
    annotations: dict[str, str]
    writes: list[Write] = field(default_factory=list)
    reviewed: bool = False
    mutated: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, call: Call, operation: str, obj: Json, old: Json | None = None) -> Request:
        """The admission request for a call."""
        session = call.session
        name = call.name or obj.get("metadata", {}).get("name", "")
        return cls(
            operation,
            call.storage_kind,
            call.kind,
            call.namespace,
            name,
            call.subresource,
            obj,
            old,
            session.user,
            session.cache,
            session.cluster,
            call.dry_run,
            call.warnings,
            call.annotations,
        )

    def forbid(self, detail: str) -> Forbidden:
        """The error that refuses this write."""
        return Forbidden(self.kind.plural, self.name, detail, self.kind.group)

    def annotate(self, key: str, value: str) -> None:
        """Tell the audit log. What is there already stays, as upstream: nothing passes for a decision of the server."""
        self.annotations.setdefault(key, value)

    def find(self, storage: str, name: str, namespace: str = "") -> Entry | None:
        """Another object, as last seen; looked up again in the store before it is called missing."""
        key = Key(storage, namespace, name)
        entry = self.cache.get(key)
        if entry is None:
            self.cache.refresh()
            entry = self.cache.get(key)
        return entry
