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


@pytest.mark.parametrize(("source", "size", "evicted"), [
    (LIMIT, 128, True), (LIMIT, 16, False), ({}, 128, False), ({**LIMIT, "medium": "Memory"}, 128, False)])
def test_who_takes_more_than_its_limit_is_evicted(tmp_path: Path, source: Any, size: int, evicted: bool) -> None:
    (tmp_path / "scratch").mkdir()
    with open(tmp_path / "scratch" / "file", "wb") as file:
        file.write(b"x" * (size << 10))
        file.flush()
        os.fsync(file.fileno())  # some file systems count only what is on the disk
    said: list[str] = []
    worker: Any = SimpleNamespace(ending=False, evict=said.append, pod=pod(
        "p", {"name": "c"}, volumes=[{"name": "other", "hostPath": {"path": "/"}}, {"name": "scratch", "emptyDir": source}]))
    context: Any = SimpleNamespace(folder=lambda obj, kind, name: tmp_path / name)
    before = EVICTIONS.values.get(("emptydirfs.limit",), 0)
    asyncio.run(localstorage.enforce([worker], context))
    assert EVICTIONS.values.get(("emptydirfs.limit",), 0) - before == evicted
    assert said == (['Usage of EmptyDir volume "scratch" exceeds the limit "64Ki". '] if evicted else [])
