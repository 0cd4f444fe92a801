"""Limits of emptyDir volumes on disk."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kubelet import localstorage
from kubelet.metrics import EVICTIONS
from tests.kubelet.fakeapi import pod

LIMIT = {"sizeLimit": "64Ki"}


def write(folder: Path, size: int) -> None:
    """A file of so many KiB."""
    folder.mkdir(parents=True)
    with open(folder / "file", "wb") as file:
        file.write(b"x" * (size << 10))
        file.flush()
        os.fsync(file.fileno())  # some file systems count only what is on the disk


@pytest.mark.parametrize(
    ("source", "size", "evicted"),
    [(LIMIT, 128, True), (LIMIT, 16, False), ({}, 128, False), ({**LIMIT, "medium": "Memory"}, 128, False)],
)
def test_who_takes_more_than_its_limit_is_evicted(tmp_path: Path, source: Any, size: int, evicted: bool) -> None:
    write(tmp_path / "scratch", size)
    said: list[str] = []
    worker: Any = SimpleNamespace(
        ending=False,
        uid="u",
        evict=said.append,
        pod=pod(
            "p",
            {"name": "c"},
            volumes=[{"name": "other", "hostPath": {"path": "/"}}, {"name": "scratch", "emptyDir": source}],
        ),
    )
    context: Any = SimpleNamespace(folder=lambda obj, kind, name: tmp_path / name)
    before = EVICTIONS.values.get(("emptydirfs.limit",), 0)
    asyncio.run(localstorage.enforce([worker], context, lambda obj: tmp_path / "logs", lambda uid: None))
    assert EVICTIONS.values.get(("emptydirfs.limit",), 0) - before == evicted
    assert said == (['Usage of EmptyDir volume "scratch" exceeds the limit "64Ki". '] if evicted else [])


@pytest.mark.parametrize(
    ("scratch", "log", "other", "root", "found"),
    [
        (
            128,
            8,
            8,
            0,
            (
                "ephemeralpodfs.limit",
                "Pod ephemeral local storage usage exceeds the total limit of containers 131072. ",
            ),
        ),
        (
            8,
            100,
            8,
            0,
            ("ephemeralcontainerfs.limit", 'Container c exceeded its local ephemeral storage limit "64Ki". '),
        ),
        (8, 8, 8, 8, None),
        (
            8,
            8,
            8,
            90,
            ("ephemeralcontainerfs.limit", 'Container c exceeded its local ephemeral storage limit "64Ki". '),
        ),
    ],
)
def test_limits_of_ephemeral_storage(tmp_path: Path, scratch: int, log: int, other: int, root: int, found: Any) -> None:
    for folder, size in (("scratch", scratch), ("logs/c", log), ("logs/d", other), ("roots/c", root)):
        write(tmp_path / folder, size)
    limited = {"resources": {"limits": {"ephemeral-storage": "64Ki"}}}
    obj = pod("p", {"name": "c", **limited}, {"name": "d", **limited}, volumes=[{"name": "scratch", "emptyDir": {}}])
    context: Any = SimpleNamespace(folder=lambda obj, kind, name: tmp_path / name)
    assert localstorage.excess(obj, context, lambda obj: tmp_path / "logs", {"c": tmp_path / "roots/c"}) == found


def test_pods_without_limits_take_what_they_like(tmp_path: Path) -> None:
    write(tmp_path / "scratch", 128)
    obj = pod("p", {"name": "c"}, volumes=[{"name": "scratch", "emptyDir": {}}])
    context: Any = SimpleNamespace(folder=lambda obj, kind, name: tmp_path / name)
    assert localstorage.excess(obj, context, lambda obj: tmp_path / "logs", {}) is None
