"""The cache's own memory of what was: a collection as it stood at a revision, without the log."""

from __future__ import annotations

import random

import pytest

from cluster.cache import Cache
from cluster.store import Key, Store, Write

STORAGES, NAMESPACES = ("pods", "secrets"), ("a", "b")


def scribble(store: Store, seed: int, count: int = 120) -> None:
    """Creates, updates and deletes of few names, in two storages and namespaces."""
    chance = random.Random(seed)
    there: set[Key] = set()
    for number in range(count):
        key = Key(chance.choice(STORAGES), chance.choice(NAMESPACES), chance.choice("abcdef"))
        body = {"metadata": {"namespace": key.namespace, "name": key.name}, "number": number}
        if key not in there:
            store.write(Write("create", key, body))
            there.add(key)
        elif chance.random() < 0.5:
            store.write(Write("update", key, body))
        else:
            store.write(Write("delete", key, body))
            there.discard(key)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("namespace", [None, "a"])
def test_a_collection_of_then_is_what_the_log_says(
    store: Store, cache: Cache, seed: int, namespace: str | None
) -> None:
    scribble(store, seed)
    newest = cache.refresh()
    for revision in range(1, newest + 1):
        then = cache.list_at("pods", namespace, revision)
        assert then is not None
        assert [(e.key, e.revision, e.body) for e in then] == [
            (change.key, change.revision, change.body) for change in store.at(revision, "pods", namespace)
        ]


def test_memory_ends_somewhere(store: Store) -> None:
    cache = Cache(store, history=10)
    cache.refresh()
    scribble(store, 1, 40)
    newest = cache.refresh()
    assert cache.list_at("pods", None, newest - 11) is None
    assert cache.list_at("pods", None, newest - 10) is not None
    assert cache.list_at("pods", None, newest) == cache.list("pods")


@pytest.mark.parametrize("seed", range(4))
def test_lists_stay_in_order_through_changes(store: Store, cache: Cache, seed: int) -> None:
    for part in range(5):
        before = store.revision()
        for number in range(20):
            key = Key("pods", NAMESPACES[number % 2], f"{random.Random(seed * 100 + number).random()}-{part}")
            store.write(Write("create", key, {"metadata": {"namespace": key.namespace, "name": key.name}}))
        cache.refresh()
        assert cache.revision == before + 20
        keys = [entry.key for entry in cache.list("pods")]
        assert keys == sorted(keys) and len(keys) == 20 * (part + 1)
        assert [e.key for e in cache.list("pods", "a")] == [key for key in keys if key.namespace == "a"]
