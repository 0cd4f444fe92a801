"""Clusters to test on: as root in a network of its own, and as an ordinary user."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.e2e import machine
from tests.e2e.cluster import Cluster
from tests.prepare import needs

ROOT_USER = os.geteuid() == 0


@contextmanager
def made(who: str, **environment: str) -> Iterator[Cluster]:
    """A cluster of `root` or of an ordinary `user`, not yet started; nothing of it is left afterwards."""
    needs("kubectl")
    if who == "root" and not ROOT_USER:
        pytest.skip("needs root: these tests run as an ordinary user")
    with ExitStack() as stack:
        if ROOT_USER:
            try:
                stack.enter_context(machine.own_network())
            except machine.Unavailable as reason:
                if who == "root":
                    pytest.skip(str(reason))
        cluster = Cluster(ordinary=who == "user", isolated=machine.links() == ["lo"], **environment)
        stack.callback(cluster.close)
        yield cluster


@pytest.fixture(scope="module", params=["root", "user"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A running cluster, shared by the tests of a module."""
    with made(request.param, **getattr(request.module, "ENVIRONMENT", {})) as cluster:
        cluster.started = cluster.up()
        yield cluster


@pytest.fixture(params=["root", "user"])
def stopped(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster that has not been started."""
    with made(request.param) as cluster:
        yield cluster
