"""Locks of the store, the cache and what follows them are taken in one order, so that no two threads wait for each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from cluster import events, rbac
from cluster.authz import Authorizer
from cluster.cache import Cache
from cluster.customkinds import Follower
from cluster.database import Database
from cluster.rbac import Attributes
from cluster.store import Store
from kube import registry
from kube.users import AUTHENTICATED, User
from tests.cluster.sessions import NS, make, pod
from tests.lockorder import LockOrder

MADE_AT_IMPORT = (
    "cluster.authz._guard",
    "kube.cel._lock",
    "kube.managedfields.whole._lock",
    "kube.schema.definitions._lock",
    "kube.schema.fill._lock",
    "kube.schema.plan._lock",
)
DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
GADGETS = {
    "metadata": {"name": "gadgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "gadgets", "singular": "gadget", "kind": "Gadget", "listKind": "GadgetList"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> LockOrder:
    made = LockOrder(monkeypatch)
    for path in MADE_AT_IMPORT:
        module, _, name = path.rpartition(".")
        owner = import_module(module)
        monkeypatch.setattr(owner, name, made.watched(getattr(owner, name), path))
    return made


@pytest.fixture
def cache(order: LockOrder, var: Path) -> Iterator[Cache]:
    """Made when locks are watched already."""
    store = Store(Database(f"sqlite:///{var}/cluster.db"))
    made = Cache(store)
    made.start()
    yield made
    made.close()
    store.close()


def test_two_orders_are_a_circle(order: LockOrder) -> None:
    first = threading.Lock()
    second = threading.RLock()
    with first, second:
        pass
    assert order.circles() == []
    with second, first:
        pass
    assert len(order.circles()) == 2


def test_no_two_threads_can_wait_for_each_other(order: LockOrder, cache: Cache) -> None:
    session = make(cache, cache.store)
    authorizer = Authorizer.of(cache)
    follower = Follower(registry.of_cluster(session.cluster), cache, session)
    follower.start()
    try:
        user = User("bob", groups=(AUTHENTICATED,))
        for name in ("a", "b"):
            session.create(f"clusterroles.{rbac.GROUP}", "", {"metadata": {"name": name}, "rules": []})
            reference = {"apiGroup": rbac.GROUP, "kind": "ClusterRole", "name": name}
            subject = {"apiGroup": rbac.GROUP, "kind": "User", "name": "bob"}
            binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
            session.create(f"clusterrolebindings.{rbac.GROUP}", "", binding)
            authorizer.decide(user, Attributes("get", "", "pods", "", NS, name))
        made = session.create("pods", NS, pod("p"))
        events.Recorder("test").event(session, made, "Normal", "Made", "it was made")
        events.flush()
        session.create(DEFINITIONS, "", GADGETS)
        session.delete(DEFINITIONS, "", "gadgets.example.com")
        cache.refresh()
    finally:
        follower.close()
    assert any("authz" in name for inner in order.within.values() for name in inner), "locks were seen"
    assert order.circles() == []
