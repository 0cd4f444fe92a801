"""What is known of a line besides its text: its pod, its place, and events."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from logs.ship.catalog import containers, programs
from logs.ship.events import document
from logs.ship.formats import leading_time, normal
from logs.ship.metadata import workload


def test_logs_are_found_by_their_place(tmp_path: Path) -> None:
    folder = tmp_path / "pods" / "shop_web-1_uid-1" / "main"
    folder.mkdir(parents=True)
    for name in ("0.log", "0.log.20261121-061910.gz", "1.log.20261121-061911", "1.log.gz.tmp", "note.txt"):
        (folder / name).touch()
    (tmp_path / "pods" / "not-a-pod").mkdir()
    found = sorted(containers(tmp_path / "pods"))
    assert [(where.namespace, where.pod, where.container, where.attempt) for where in found] == [
        ("shop", "web-1", "main", 0),
        ("shop", "web-1", "main", 1),
    ]
    assert found[0].name == "uid-1/main/0"


def test_programs_of_the_node_are_told_from_the_control_plane(tmp_path: Path) -> None:
    for name in ("apiserver.log", "apiserver.log.1", "kubelet.log"):
        (tmp_path / name).touch()
    assert {where.container: where.source for where in programs(tmp_path)} == {
        "apiserver": "control-plane",
        "kubelet": "node",
    }
    assert list(programs(tmp_path / "not-there")) == []


@pytest.mark.parametrize(
    ("owner", "labels", "expected"),
    [
        (None, {}, {}),
        (("ReplicaSet", "web-7d9"), {"pod-template-hash": "7d9"}, {"kind": "Deployment", "name": "web"}),
        (("ReplicaSet", "web"), {}, {"kind": "ReplicaSet", "name": "web"}),
        (("Job", "nightly-29412345"), {}, {"kind": "CronJob", "name": "nightly"}),
        (("StatefulSet", "db"), {}, {"kind": "StatefulSet", "name": "db"}),
    ],
)
def test_the_workload_is_what_users_made(
    owner: tuple[str, str] | None, labels: dict[str, str], expected: dict[str, str]
) -> None:
    owners = [{"kind": owner[0], "name": owner[1], "controller": True}] if owner else []
    assert workload({"ownerReferences": owners, "labels": labels}) == expected


def test_an_event_is_one_document_for_each_count() -> None:
    event = {
        "metadata": {"name": "web.1", "namespace": "shop", "uid": "u", "resourceVersion": "7"},
        "count": 3,
        "type": "Warning",
        "reason": "BackOff",
        "message": "restarting",
        "lastTimestamp": "2026-11-21T06:19:10Z",
        "involvedObject": {
            "kind": "Pod",
            "name": "web",
            "namespace": "shop",
            "uid": "p",
            "fieldPath": "spec.containers{main}",
        },
    }
    first, again = document(event), document(event)
    later = document({**event, "count": 4, "metadata": {**event["metadata"], "resourceVersion": "9"}})  # type: ignore[dict-item]
    assert first is not None and again is not None and later is not None
    assert first.id == again.id != later.id
    body = orjson.loads(first.body)
    assert body["kubernetes"] == {"namespace": "shop", "pod": "web", "pod_uid": "p", "container": "main"}
    assert (body["level"], body["source"], body["message"]) == ("warn", "event", "BackOff: restarting")
    assert document({"metadata": event["metadata"]}) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T06:19:10.123456789Z", "2026-11-21T06:19:10.123456789Z"),
        ("2026-11-21T06:19:10Z", "2026-11-21T06:19:10.000000000Z"),
        ("2026-11-21T06:19:10.5+02:00", "2026-11-21T04:19:10.500000000Z"),
        ("2026-13-21T06:19:10.123456789Z", ""),
        ("0001-01-01T00:00:00.000000000Z", ""),
        ("../../etc/passwd", ""),
        ("", ""),
    ],
)
def test_times_are_made_alike(text: str, expected: str) -> None:
    assert normal(text) == expected


def test_a_line_of_text_begins_with_its_time() -> None:
    assert leading_time(b"2026-11-21T06:19:10,123+00:00 INFO x").startswith("2026-11-21T06:19:10.123")
    assert leading_time(b"31715:C 21 Nov 2026 07:25:07.874 # x").endswith(":07.874000000Z")
    assert leading_time(b"no time") == leading_time(b"12 monkeys") == ""
