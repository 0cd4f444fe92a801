"""Garbage collection: what goes with its owner, and how."""

from __future__ import annotations

import pytest

from controllers.garbagecollector import GarbageCollector
from tests.controllers.drive import Drive


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


def test_an_owner_of_an_unknown_kind_keeps_its_dependents(drive):
    stranger = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w", "uid": "some-uid"}}
    child(drive, "leaf", stranger)
    drive.run()
    assert drive.names("configmaps") == ["leaf"]
