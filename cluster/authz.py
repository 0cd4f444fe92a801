"""Authorisation on the cache: `system:masters`, then the Node authoriser, then RBAC; nothing else allows.

Decisions are remembered per user until a role or binding changes; the node authoriser's are not, since they depend on
pods.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from cluster import nodeauthz, rbac
from cluster.cache import Cache, Event
from cluster.rbac import ALLOWED, DENIED, Attributes, Decision
from cluster.store import Key
from kube.users import User

MEMO_LIMIT = 20_000


class Grant(NamedTuple):
    """What one binding gives a subject: in a namespace, or "" for the whole cluster. `reason` says which binding."""

    namespace: str
    rules: list[dict[str, Any]]
    reason: str


_guard = threading.Lock()
_authorizers: WeakKeyDictionary[Cache, Authorizer] = WeakKeyDictionary()


class Authorizer:
    """Decides for one cluster. Thread-safe."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self._lock = threading.Lock()
        self._grants: dict[tuple[str, str], list[Grant]] | None = None
        self._memo: dict[tuple[User, tuple[str, ...], Attributes], Decision] = {}
        cache.subscribe(self._changed)

    @staticmethod
    def of(cache: Cache) -> Authorizer:
        """The authorizer of a cache; there is one, so that its memory is shared."""
        with _guard:
            found = _authorizers.get(cache)
            if found is None:
                found = _authorizers[cache] = Authorizer(cache)
            return found

    def _changed(self, events: Sequence[Event]) -> None:
        if any(event.key.storage in rbac.STORAGES for event in events):
            self.invalidate()

    def invalidate(self) -> None:
        """Forget every decision; the next question reads roles and bindings again."""
        with self._lock:
            self._grants = None
            self._memo = {}

    def decide(self, user: User, want: Attributes) -> Decision:
        """Whether `user` may do what `want` says."""
        if user.is_master:
            return ALLOWED
        node = nodeauthz.decide(self.cache, user, want)
        if node is not None and node.allowed:
            return ALLOWED
        found = self.by_roles(user, want)
        return found if found.allowed or node is None else Decision(False, node.reason)

    def allows(
        self,
        user: User,
        verb: str,
        kind_group: str,
        resource: str,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
    ) -> bool:
        """`decide` for a resource, as a plain yes or no."""
        return self.decide(user, Attributes(verb, kind_group, resource, subresource, namespace, name)).allowed

    def by_roles(self, user: User, want: Attributes) -> Decision:
        """What roles and bindings alone say."""
        memo = self._memo
        key = (user, user.groups, want)
        found = memo.get(key)
        if found is None:
            grants = self._granted(user, want.namespace)
            fits = (g for g in grants if any(rbac.rule_allows(rule, want) for rule in g.rules))
            grant = next(fits, None)
            found = DENIED if grant is None else Decision(True, grant.reason)
            if len(memo) < MEMO_LIMIT:
                memo[key] = found
        return found

    def rules(self, user: User, namespace: str) -> list[dict[str, Any]]:
        """All PolicyRules that a user has in a namespace ("" for cluster scope)."""
        return [rule for grant in self._granted(user, namespace) for rule in grant.rules]

    def _granted(self, user: User, namespace: str) -> list[Grant]:
        return [grant for grant in self.granted(user) if grant.namespace in ("", namespace)]

    def granted(self, user: User) -> list[Grant]:
        """All that roles give a user, in each namespace."""
        grants = self._load()
        return [grant for key in rbac.subject_keys(user) for grant in grants.get(key, ())]

    def _load(self) -> dict[tuple[str, str], list[Grant]]:
        """What roles give. Read without the lock: the cache tells changes under its own, and then waits for ours."""
        grants, memo = self._grants, self._memo
        if grants is None:
            grants = self._read()
            with self._lock:
                if self._memo is memo:  # nothing has changed meanwhile
                    self._grants = grants
        return grants

    def _read(self) -> dict[tuple[str, str], list[Grant]]:
        grants: dict[tuple[str, str], list[Grant]] = {}
        for storage in (rbac.CLUSTER_BINDINGS, rbac.BINDINGS):
            for entry in self.cache.list(storage):
                binding = entry.object()
                reference = binding.get("roleRef") or {}
                rules = self.role_rules(reference, entry.key.namespace)
                for subject in binding.get("subjects") or ():
                    grant = Grant(entry.key.namespace, rules, rbac.reason(entry.key, reference, subject))
                    grants.setdefault(rbac.subject_key(subject, entry.key.namespace), []).append(grant)
        return grants

    def role_rules(self, ref: dict[str, Any], namespace: str) -> list[dict[str, Any]]:
        """The rules of the role that a roleRef names; none if it does not exist."""
        storage = rbac.CLUSTER_ROLES if ref.get("kind") == "ClusterRole" else rbac.ROLES
        where = "" if storage == rbac.CLUSTER_ROLES else namespace
        entry = self.cache.get(Key(storage, where, ref.get("name", "")))
        return (entry.object().get("rules") or []) if entry else []
