"""What controllers write: statuses as they were counted, and objects that are the ones that were meant."""

from __future__ import annotations

import pytest

from cluster.store import Key
from controllers import writes
from kube.errors import Conflict
from tests.controllers.drive import Drive


@pytest.fixture
def drive(cache, monkeypatch):
    made = Drive(cache, monkeypatch)
    made.namespace()
    return made


def test_a_status_is_written_where_it_differs_and_as_it_was_read(drive):
    pod = drive.pod("a")
    assert writes.put_status(drive.ctx, "pods", pod, pod["status"]) is pod
    written = writes.put_status(drive.ctx, "pods", pod, {**pod["status"], "message": "m"})
    assert written["status"]["message"] == "m" == drive.get("pods", "a")["status"]["message"]
    with pytest.raises(Conflict):
        writes.put_status(drive.ctx, "pods", pod, {**pod["status"], "message": "of the one that was read"})
    drive.session.delete("pods", "default", "a", {"gracePeriodSeconds": 0})
    assert writes.put_status(drive.ctx, "pods", written, {"phase": "Failed"}) is None


def test_another_object_of_the_name_is_left_alone(drive):
    drive.create("configmaps", "held", finalizers=["example.com/hold", "example.com/other"])
    entry = drive.cache.get(Key("configmaps", "default", "held"))
    writes.lift_finalizer(drive.ctx, entry, "example.com/hold")
    assert drive.get("configmaps", "held")["metadata"]["finalizers"] == ["example.com/other"]
    drive.session.mutate("configmaps", "default", "held", lambda obj: obj["metadata"].pop("finalizers") and None)
    drive.session.delete("configmaps", "default", "held")
    writes.lift_finalizer(drive.ctx, entry, "example.com/hold")  # nothing is there
    drive.create("configmaps", "held", finalizers=["example.com/hold"])
    writes.lift_finalizer(drive.ctx, entry, "example.com/hold")
    assert drive.get("configmaps", "held")["metadata"]["finalizers"] == ["example.com/hold"]
    assert writes.change(drive.ctx, entry.key, entry.meta.uid, lambda obj: obj.update(data={"a": "b"})) is None


def test_the_last_finalizer_leaves_no_empty_list():
    meta = {"finalizers": ["a", "b"]}
    writes.drop_finalizer(meta, "a")
    assert meta == {"finalizers": ["b"]}
    writes.drop_finalizer(meta, "b")
    writes.drop_finalizer(meta, "b")
    assert meta == {}
