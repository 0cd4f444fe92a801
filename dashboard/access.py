"""What one user may see of one cluster. Every read of the dashboard asks here, sockets included.

Nothing is remembered here: the authoriser keeps its decisions per user, and forgets them when a role or binding changes.
"""

from __future__ import annotations

from cluster.store import Key
from dashboard.source import Source
from kube.registry import Kind
from kube.users import User

Scope = frozenset[str] | None  # namespaces one may list a kind in; None: everywhere


class Access:
    """The rights of `user` in the cluster of `source`."""

    def __init__(self, source: Source, user: User) -> None:
        self.source, self.user = source, user

    def allows(self, verb: str, storage: str, namespace: str = "", name: str = "", subresource: str = "") -> bool:
        group, resource = Key(storage, "", "").group_resource
        return self.source.authorizer.allows(self.user, verb, group, resource, namespace, name, subresource)

    def granted(self) -> object:
        """All that the roles give this user: equal, where nothing has changed."""
        return self.source.authorizer.granted(self.user)

    def scope(self, kind: Kind) -> Scope:
        """Where the user may list a kind: None for everywhere, else a set of namespaces, empty when nowhere."""
        if not kind.namespaced:
            return None if self.allows("list", kind.storage) else frozenset()
        return self.where("list", kind.storage)

    def can_get(self, key: Key) -> bool:
        return self.allows("get", key.storage, key.namespace, key.name)

    def can_list(self, storage: str, namespace: str = "") -> bool:
        return self.allows("list", storage) or (bool(namespace) and self.allows("list", storage, namespace))

    def where(self, verb: str, storage: str, subresource: str = "") -> Scope:
        """The namespaces where `verb` is allowed on all objects of a kind: None for everywhere."""
        if self.allows(verb, storage, subresource=subresource):
            return None
        return frozenset(
            entry.key.name
            for entry in self.source.cache.list("namespaces")
            if self.allows(verb, storage, entry.key.name, subresource=subresource)
        )

    def can_read_log(self, namespace: str, pod: str) -> bool:
        return self.allows("get", "pods", namespace, pod, "log")


def within(scope: Scope, namespace: str) -> bool:
    return scope is None or namespace in scope
