"""Garbage collection: what goes with its owner, and how."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controllers.garbagecollector import SWEEP, SWEEP_SECONDS, GarbageCollector
from kube.errors import Conflict
from tests.controllers.drive import Drive

VOLUME = {"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/data"}}}


@pytest.fixture
def drive(cache, monkeypatch):
    made = Drive(cache, monkeypatch, GarbageCollector())
    made.namespace()
    return made


def owned_by(owner, **more):
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        **more,
    }


def child(drive, name, *owners, **more):
    return drive.create("configmaps", name, None, ownerReferences=[owned_by(o, **more) for o in owners])


def test_dependents_go_with_their_owner_down_to_the_last(drive):
    top = drive.create("configmaps", "top")
    middle = child(drive, "middle", top)
    child(drive, "leaf", middle)
    drive.run()
    assert drive.names("configmaps") == ["leaf", "middle", "top"]
    drive.session.delete("configmaps", "default", "top", {"propagationPolicy": "Background"})
    drive.run()
    assert drive.names("configmaps") == []


def test_an_object_with_an_owner_left_only_loses_the_reference(drive):
    one, two = drive.create("configmaps", "one"), drive.create("configmaps", "two")
    child(drive, "shared", one, two)
    drive.session.delete("configmaps", "default", "one")
    drive.run()
    assert [r["name"] for r in drive.get("configmaps", "shared")["metadata"]["ownerReferences"]] == ["two"]


def test_orphaning_cuts_dependents_loose(drive):
    top = drive.create("configmaps", "top")
    child(drive, "leaf", top)
    drive.session.delete("configmaps", "default", "top", {"propagationPolicy": "Orphan"})
    drive.run()
    assert drive.names("configmaps") == ["leaf"]
    assert "ownerReferences" not in drive.get("configmaps", "leaf")["metadata"]


def test_foreground_waits_for_blocking_dependents_only(drive):
    top = drive.create("configmaps", "top")
    child(drive, "free", top)
    drive.create(
        "configmaps",
        "held",
        None,
        ownerReferences=[owned_by(top, blockOwnerDeletion=True)],
        finalizers=["example.com/hold"],
    )
    drive.session.delete("configmaps", "default", "top", {"propagationPolicy": "Foreground"})
    drive.run()
    assert drive.names("configmaps") == ["held", "top"]
    drive.session.mutate("configmaps", "default", "held", lambda o: o["metadata"].pop("finalizers") and None)
    drive.run()
    assert drive.names("configmaps") == []


def test_foreground_goes_down_several_levels(drive):
    top = drive.create("configmaps", "top")
    middle = child(drive, "middle", top, blockOwnerDeletion=True)
    child(drive, "leaf", middle, blockOwnerDeletion=True)
    drive.session.delete("configmaps", "default", "top", {"propagationPolicy": "Foreground"})
    drive.run()
    assert drive.names("configmaps") == []


def test_an_owner_that_never_was_or_has_another_uid_is_absent(drive):
    top = drive.create("configmaps", "top")
    other = {**top, "metadata": {**top["metadata"], "uid": "0a0a0a0a-0000-4000-8000-000000000000"}}
    child(drive, "dangling", other)
    drive.run()
    assert drive.names("configmaps") == ["top"]


def test_an_owner_in_another_namespace_is_absent_and_that_is_told(drive):
    drive.namespace("b")
    top = drive.create("configmaps", "top")
    drive.create("configmaps", "leaf", None, "b", ownerReferences=[owned_by(top)])
    drive.run()
    assert drive.names("configmaps", "b") == []
    about = f"[v1/ConfigMap, namespace: b, name: top, uid: {top['metadata']['uid']}]"
    assert drive.events == [("leaf", "OwnerRefInvalidNamespace", f'ownerRef {about} does not exist in namespace "b"')]


def test_an_object_without_a_namespace_keeps_to_an_owner_in_one(drive):
    top = drive.create("configmaps", "top")
    drive.create("persistentvolumes", "pv", VOLUME, "", ownerReferences=[owned_by(top)])
    drive.run()
    assert drive.names("persistentvolumes", None) == ["pv"] and drive.events == []


def test_dependents_go_though_another_has_the_owners_name_at_once(drive):
    child(drive, "leaf", drive.create("configmaps", "top"))
    drive.run()
    drive.late = True
    drive.session.delete("configmaps", "default", "top")
    drive.create("configmaps", "top")
    drive.run()
    assert drive.names("configmaps") == ["top"]


def test_a_dependent_that_is_written_meanwhile_is_looked_at_again(drive, monkeypatch):
    top = drive.create("configmaps", "top")
    child(drive, "leaf", top)
    drive.run()
    drive.session.delete("configmaps", "default", "top")
    drive.cache.refresh()
    monkeypatch.setattr(type(drive.session), "delete_many", lambda _, keys, *more: [Conflict("configmaps", "leaf")])
    with pytest.raises(Conflict):
        drive.run()


def _label(value, obj):
    obj["metadata"]["labels"] = {"a": value}


STEPS = ("owner", "child", "owner goes", "another owner", "child changes", "collector", "events")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(STEPS), max_size=12), st.sets(st.integers(0, 40)), st.booleans())
def test_whatever_the_order_of_events_and_though_some_are_lost_absent_owners_leave_nothing(
    cache, monkeypatch, order, lost, late
):
    """The sweep finds what no event told of; without a lost event, nothing is left for it."""
    collector = GarbageCollector()
    drive = Drive(cache, monkeypatch, collector)
    for storage in ("configmaps", "secrets"):
        for name in drive.names(storage):
            drive.session.delete(storage, "default", name)
    if not drive.names("namespaces", None):
        drive.namespace()
    drive.lost, drive.late = frozenset(lost), late
    owners = []
    for number, step in enumerate(order):
        if step in ("owner", "another owner") and "top" not in drive.names("configmaps"):
            owners.append(drive.create("configmaps", "top"))
        elif step == "child" and owners:
            drive.create("secrets", f"leaf-{number}", None, ownerReferences=[owned_by(owners[-1])])
        elif step == "owner goes" and "top" in drive.names("configmaps"):
            drive.session.delete("configmaps", "default", "top")
        elif step == "child changes":
            for name in drive.names("secrets"):
                drive.session.mutate("secrets", "default", name, partial(_label, str(number)))
        elif step == "collector":
            drive.run()
    drive.run()
    if lost:
        drive.offset += SWEEP_SECONDS
        collector.reconcile_many([SWEEP], drive.ctx)
        drive.run()
    for name in drive.names("secrets"):
        present = drive.get("configmaps", "top")
        assert present, f"{name} is left"
        assert drive.get("secrets", name)["metadata"]["ownerReferences"] == [owned_by(present)]
    drive.close()


def test_an_owner_of_an_unknown_kind_keeps_its_dependents(drive):
    stranger = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "uid": "some-uid"}}
    child(drive, "leaf", stranger)
    drive.run()
    assert drive.names("configmaps") == ["leaf"]
