"""Events end an hour after they were last written; the log is compacted by the limits of the environment."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.cache import Cache
from controllers.retention import ALL, LOG_SECONDS, ChangeLogController, EventExpiryController
from kube import clock
from kube.errors import ApiError
from kube.objects import Json
from tests.controllers.world import World


def event(name: str, **times: Any) -> Json:
    return {"metadata": {"name": name}, "involvedObject": {"namespace": "default", "kind": "Pod", "name": "a"}, **times}


def test_events_expire_an_hour_after_their_last_time(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    controller = EventExpiryController()
    world = World(cache, [controller], monkeypatch)
    world.create("events", event("old"))
    world.create("events", event("repeated", lastTimestamp=clock.stamp(world.now() + 3000)))
    world.offset = 3500
    world.step()
    assert sorted(e["metadata"]["name"] for e in world.list("events")) == ["old", "repeated"]
    world.offset = 3700
    world.create("events", event("young"))
    world.step()
    assert sorted(e["metadata"]["name"] for e in world.list("events")) == ["repeated", "young"]


def test_the_log_keeps_as_many_changes_as_are_wanted(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINNACLE_HISTORY_CHANGES", "10")
    controller = ChangeLogController()
    world = World(cache, [controller], monkeypatch)
    made = world.create("configmaps", {"metadata": {"name": "c"}})
    for number in range(30):
        made["data"] = {"n": str(number)}
        made = world.session.update("configmaps", "default", "c", made)
    newest = cache.refresh()
    assert controller.reconcile(ALL, world.ctx) == LOG_SECONDS
    assert cache.store.compacted() == newest - 10
    assert len(cache.store.changes_since(newest - 10)) == 10
    with pytest.raises(ApiError):
        cache.store.changes_since(newest - 11)
    assert world.get("configmaps", "c")["data"] == {"n": "29"}
