"""Volumes: the atomic writer, and what each kind makes of its source."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kubelet.fields import PodFacts
from kubelet.runtimes.base import ConfigError, Mount
from kubelet.volumes import atomic, manager, payload
from kubelet.volumes.atomic import File
from kubelet.volumes.base import Context, Ready, VolumeError
from tests.kubelet.fakeapi import pod


def read(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith("..")}


def test_atomic_update_swaps_all_files_at_once(tmp_path: Path) -> None:
    assert atomic.write(tmp_path, {"a": File(b"1"), "d/b": File(b"2", 0o600)})
    first = os.readlink(tmp_path / "..data")
    assert os.readlink(tmp_path / "a") == "..data/a"
    assert (tmp_path / "d/b").stat().st_mode & 0o777 == 0o600
    assert not atomic.write(tmp_path, {"a": File(b"1"), "d/b": File(b"2", 0o600)})
    held = os.open(tmp_path / "..data" / "a", os.O_RDONLY)
    assert atomic.write(tmp_path, {"a": File(b"3"), "c": File(b"4")})
    assert read(tmp_path) == {"a": b"3", "c": b"4"}
    assert os.read(held, 10) == b"1"
    assert os.readlink(tmp_path / "..data") != first
    assert not (tmp_path / first).exists()


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", ""])
def test_item_paths_stay_inside(path: str) -> None:
    with pytest.raises(ValueError, match="relative"):
        atomic.checked(path)


class World:
    """Lookup, tokens and API of a Context."""

    async def get(self, *arguments: Any) -> Any:
        if len(arguments) == 1:
            return {"spec": {"volumeName": "pv", "local": {"path": "/"}}, "status": {"phase": "Bound"}}
        if isinstance(arguments[0], dict):
            return f"token-for-{arguments[1] or 'api'}"
        known = {"cm": {"data": {"k": "v"}, "binaryData": {"b": base64.b64encode(b"\0").decode()}},
                 "s": {"data": {"p": base64.b64encode(b"pass").decode()}}}  # fmt: skip
        return known.get(arguments[2])


def set_up(tmp_path: Path, *volumes: Any) -> dict[str, Ready]:
    world: Any = World()
    made = pod("p", {"name": "c"}, volumes=list(volumes))
    made["metadata"]["uid"] = "u"
    facts = PodFacts("", "10.0.0.1", 1000, 1)
    return asyncio.run(manager.set_up(made, Context(manager.layout(tmp_path), world, world, world, lambda pod: facts)))


def test_each_kind(tmp_path: Path) -> None:
    items = [{"key": "p", "path": "deep/pass", "mode": 0o400}]
    sources = [{"configMap": {"name": "cm"}}, {"serviceAccountToken": {"path": "token"}},
               {"downwardAPI": {"items": [{"path": "ns", "fieldRef": {"fieldPath": "metadata.namespace"}}]}}]  # fmt: skip
    found = set_up(
        tmp_path,
        {"name": "cm", "configMap": {"name": "cm"}},
        {"name": "sec", "secret": {"secretName": "s", "items": items}},
        {"name": "all", "projected": {"sources": sources}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "mem", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "host", "hostPath": {"path": str(tmp_path / "made"), "type": "DirectoryOrCreate"}},
        {"name": "pvc", "persistentVolumeClaim": {"claimName": "c"}},
        {"name": "img", "image": {"reference": "host:1"}},
    )
    assert read(Path(found["cm"].path)) == {"k": b"v", "b": b"\0"}
    assert (Path(found["sec"].path) / "deep/pass").read_bytes() == b"pass"
    assert read(Path(found["all"].path)) == {"k": b"v", "b": b"\0", "token": b"token-for-api", "ns": b"default"}
    assert (found["mem"].memory, found["mem"].size) == (True, 1 << 20)
    assert Path(found["host"].path).is_dir() and found["pvc"].path == "/"
    assert found["img"].readonly and (Path(found["img"].path) / "bin/sh").exists()
    assert found["cm"].readonly and not found["tmp"].readonly


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        ({"configMap": {"name": "none"}}, 'configmap "none" not found'),
        ({"secret": {"secretName": "s", "items": [{"key": "x", "path": "x"}]}}, "non-existent key: x"),
        ({"hostPath": {"path": "/etc/passwd", "type": "Directory"}}, "is not a Directory"),
        ({"image": {"reference": "quay.io/some/data:1"}}, 'image "quay.io/some/data:1" has no files on this node'),
        ({"nfs": {}}, "this kubelet has no nfs"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, volume: Any, words: str) -> None:
    with pytest.raises(VolumeError, match=words):
        set_up(tmp_path, {"name": "v", **volume})


def test_an_optional_source_is_an_empty_volume(tmp_path: Path) -> None:
    found = set_up(tmp_path, {"name": "v", "configMap": {"name": "none", "optional": True}})
    assert read(Path(found["v"].path)) == {}


def test_sub_paths_may_not_leave_their_volume(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/etc")
    ready = {"v": Ready(str(tmp_path))}
    inside = {"volumeMounts": [{"name": "v", "mountPath": "/x", "subPathExpr": "$(NAME)/y"}]}
    (mount,) = manager.mounts(inside, ready, {"NAME": "n"})
    assert (mount.source, mount.below) == (str(tmp_path), "n/y") and (tmp_path / "n/y").is_dir()
    outside = {"volumeMounts": [{"name": "v", "mountPath": "/x", "subPath": "out"}]}
    with pytest.raises(ConfigError, match="leads out of its volume"):
        manager.mounts(outside, ready, {})
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume/out").symlink_to(tmp_path)
    outside = {"volumeMounts": [{"name": "v", "mountPath": "/x", "subPath": "out/new"}]}
    with pytest.raises(ConfigError, match="leads out of its volume"):
        manager.mounts(outside, {"v": Ready(str(tmp_path / "volume"))}, {})
    assert not (tmp_path / "new").exists(), "nothing is made outside of the volume"


def test_who_may_write_a_volume_may_write_its_sub_paths(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    container = {"volumeMounts": [{"name": "v", "mountPath": "/x", "subPath": "a/b"}]}
    manager.mounts(container, {"v": Ready(str(tmp_path))}, {})
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b")] == [0o777, 0o777]


def test_a_sub_path_in_memory_is_made_in_the_namespace_of_the_pod(tmp_path: Path) -> None:
    container = {"volumeMounts": [{"name": "v", "mountPath": "/x", "subPath": "a"}]}
    assert manager.mounts(container, {"v": Ready(str(tmp_path), memory=True)}, {}) == [
        Mount(str(tmp_path), "/x", below="a")
    ]
    assert not (tmp_path / "a").exists()


def test_files_of_a_group_are_written_once(tmp_path: Path) -> None:
    assert atomic.write(tmp_path, {"a": File(b"1", 0o400)}, os.getgid())
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o440
    assert not atomic.write(tmp_path, {"a": File(b"1", 0o400)}, os.getgid())


@pytest.mark.parametrize(
    ("pod_level", "users", "file"),
    [
        ({}, (None, None), (0o644, None)),
        ({}, (1000, 1000), (0o600, 1000)),
        ({}, (1000, None), (0o644, None)),
        ({"runAsUser": 1000}, (None, None), (0o600, 1000)),
        ({"runAsUser": 1000}, (None, 2000), (0o644, None)),
        ({"fsGroup": 5}, (1000, 2000), (0o600, None)),
    ],
)
def test_every_container_reads_its_token(tmp_path: Path, pod_level: Any, users: Any, file: Any) -> None:
    containers = [{"name": f"c{i}", "securityContext": {} if user is None else {"runAsUser": user}}
                  for i, user in enumerate(users)]  # fmt: skip
    obj = pod("p", *containers, securityContext=pod_level)
    context: Any = SimpleNamespace(tokens=World())
    (made,) = asyncio.run(payload.from_token(obj, {"path": "token"}, 0o644, context)).values()
    assert (made.mode, made.user) == file
