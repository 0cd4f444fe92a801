"""Django over a state folder of the test's own (see the dashboard's fixture of the same name), and the sample addon."""

from __future__ import annotations

import pytest

from addons import manager
from cluster.cache import Cache
from cluster.store import Store
from cluster.verbs import Session
from controllers.runtime import Context
from tests.addons import sample
from tests.dashboard.conftest import pages

__all__ = ["pages"]


@pytest.fixture
def ctx(store: Store, cache: Cache) -> Context:
    session = Session(1, "system:addon-manager", cache, store)
    session.create("namespaces", "", {"metadata": {"name": sample.SYSTEM}})
    session.create("serviceaccounts", sample.SYSTEM, {"metadata": {"name": "default"}})
    return Context(session, cache)


@pytest.fixture
def plain(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> sample.Cluster:
    """A cluster with an addon of two ConfigMaps."""
    monkeypatch.setattr(manager, "catalogue", lambda: {"sample": sample.PLAIN})
    return sample.Cluster(ctx)


@pytest.fixture
def working(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> sample.Cluster:
    """A cluster with an addon that has a deployment; its first configuration is in force."""
    monkeypatch.setattr(manager, "catalogue", lambda: {"sample": sample.WORKING})
    made = sample.Cluster(ctx)
    made.node()
    made.turn()
    made.work(since=made.now - 60)
    made.turn(after=11)
    assert made.note("state") == "healthy"
    return made
