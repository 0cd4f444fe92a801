"""Conditions, owner references and times: what everybody reads and writes alike."""

from __future__ import annotations

import pytest

from kube import clock, conditions, ownerrefs, quantity
from kube.objects import Json

OLD = "2026-01-01T00:00:00Z"


def status() -> Json:
    ready = {"type": "Ready", "status": "True", "reason": "a", "lastTransitionTime": OLD}
    return {"conditions": [ready, {"type": "Other", "status": "True", "lastTransitionTime": OLD}]}


def test_update_keeps_the_place_and_the_time_until_the_status_changes() -> None:
    made = status()
    assert conditions.update(made, {"type": "Ready", "status": "True", "reason": "b"}, 0.0)
    assert made["conditions"][0] == {"type": "Ready", "status": "True", "reason": "b", "lastTransitionTime": OLD}
    assert not conditions.update(made, {"type": "Ready", "status": "True", "reason": "b"}, 0.0)
    assert conditions.update(made, {"type": "Ready", "status": "False"}, 0.0)
    assert made["conditions"][0]["lastTransitionTime"] == "1970-01-01T00:00:00Z"


def test_put_writes_nothing_while_status_and_reason_stay_and_goes_to_the_end() -> None:
    made = status()
    assert not conditions.put(made, "Ready", "True", "a", "other words", 0.0)
    assert conditions.put(made, "Ready", "True", "b", "", 0.0, "lastUpdateTime")
    assert [one["type"] for one in made["conditions"]] == ["Other", "Ready"]
    assert conditions.is_true(made, "Ready") and not conditions.is_true(None, "Ready")
    conditions.remove(made, "Other")
    conditions.remove(made, "Ready")
    assert made == {}


def test_the_manager_among_the_owners() -> None:
    owner = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "uid": "u"}}
    meta: Json = {"ownerReferences": [{"uid": "x"}, ownerrefs.reference(owner)]}
    assert (ownerrefs.controller(meta) or {})["name"] == "n"
    ownerrefs.remove(meta, {"u"})
    assert ownerrefs.controller(meta) is None and meta == {"ownerReferences": [{"uid": "x"}]}
    ownerrefs.remove(meta, {"x"})
    assert meta == {}


def test_times_to_the_nanosecond_and_without_a_zone() -> None:
    assert clock.stamp_nano(1_500_000_000) == "1970-01-01T00:00:01.500000000Z"
    with pytest.raises(ValueError, match="has no time zone"):
        clock.parse("2026-01-01T00:00:00")


def test_units_of_a_divisor() -> None:
    assert [quantity.units("1Gi", "1Mi"), quantity.units("2", "1m"), quantity.units("1500m", "0")] == [1024, 2000, 2]
