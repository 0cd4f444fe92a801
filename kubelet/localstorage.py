"""Pods whose emptyDir volumes hold more than their `sizeLimit`: evicted. (Those in memory have a limit by themselves.)"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubelet import quantity
from kubelet.metrics import EVICTIONS
from kubelet.stats.machine import disk_usage
from kubelet.volumes.base import Context

if TYPE_CHECKING:
    from kubelet.worker import PodWorker

Json = dict[str, Any]
PERIOD = 10.0
SIGNAL = "emptydirfs.limit"


async def enforce(workers: Iterable[PodWorker], context: Context) -> None:
    """Look once at all pods with such limits."""
    for worker in workers:
        limits = [] if worker.ending else [*limited(worker.pod, context)]
        for name, limit, folder in limits:
            if await asyncio.to_thread(disk_usage, folder) > quantity.units(limit):
                worker.evict(f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". ')
                EVICTIONS.add(SIGNAL)
                break


def limited(pod: Json, context: Context) -> Iterator[tuple[str, str, Path]]:
    """(name, limit, folder) of each volume of the pod that has a limit on disk."""
    for volume in pod["spec"].get("volumes") or ():
        source = volume.get("emptyDir") or {}
        if source.get("sizeLimit") and source.get("medium") != "Memory":
            yield volume["name"], source["sizeLimit"], context.folder(pod, "kubernetes.io~empty-dir", volume["name"])
