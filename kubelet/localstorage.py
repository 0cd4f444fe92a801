"""Pods that take more of the node's disk than they may are evicted: their emptyDir volumes have a `sizeLimit`, their
containers a limit of `ephemeral-storage`, for logs, emptyDir volumes and what they write anywhere else. (Volumes in memory
have a limit by themselves.)"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kube import quantity
from kube.pods import podutil
from kubelet import disk
from kubelet.metrics import EVICTIONS
from kubelet.runtimes.base import Measurable
from kubelet.volumes.base import Context

if TYPE_CHECKING:
    from kube.shapes import PodLike
    from kubelet.worker import PodWorker

PERIOD = 10.0
MAX_ENTRIES = 500_000  # a pod of more files than that is not measured to its end


async def enforce(
    workers: Iterable[PodWorker],
    context: Context,
    logs: Callable[[PodLike], Path],
    measurable: Callable[[str], Measurable | None],
) -> None:
    """Look once at all pods with such limits; `logs` gives the folder that holds a pod's logs, one folder a container."""
    for worker in workers:
        if worker.ending:
            continue
        source = measurable(worker.uid) if _limits(worker.pod) else None  # it reads the pod's records
        written = {run.state.name: run.written for run in source.running if run.written} if source else {}
        found = await asyncio.to_thread(excess, worker.pod, context, logs, written)
        if found:
            signal, message = found
            worker.evict(message)
            EVICTIONS.add(signal)


def excess(
    pod: PodLike, context: Context, logs: Callable[[PodLike], Path], written: Mapping[str, Path]
) -> tuple[str, str] | None:
    """The first limit that the pod exceeds: (eviction signal, message).

    `written` has, by container, the folder of what it wrote outside of its volumes.
    """
    volumes = [volume for volume in pod["spec"].get("volumes") or ()
               if "emptyDir" in volume and (volume["emptyDir"] or {}).get("medium") != "Memory"]  # fmt: skip
    folders = {volume["name"]: context.folder(pod, "kubernetes.io~empty-dir", volume["name"]) for volume in volumes}
    for volume in volumes:
        name, limit = volume["name"], (volume["emptyDir"] or {}).get("sizeLimit")
        if limit and _size(folders[name]) > quantity.units(limit):
            return "emptydirfs.limit", f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". '
    limits = _limits(pod)
    if not limits:
        return None
    total = sum(quantity.units(limit) for limit in limits.values())
    if sum(map(_size, (logs(pod), *folders.values(), *written.values()))) > total:
        shown = total if len(limits) > 1 else next(iter(limits.values()))
        message = f"Pod ephemeral local storage usage exceeds the total limit of containers {shown}. "
        return "ephemeralpodfs.limit", message
    for name, limit in limits.items():
        if sum(map(_size, (logs(pod) / name, *([written[name]] if name in written else [])))) > quantity.units(limit):
            message = f'Container {name} exceeded its local ephemeral storage limit "{limit}". '
            return "ephemeralcontainerfs.limit", message
    return None


def _limits(pod: PodLike) -> dict[str, str]:
    """Those of `ephemeral-storage`, of the containers that go on running."""
    asked = {c["name"]: (c.get("resources") or {}).get("limits") or {} for c in podutil.lasting(pod["spec"])}
    return {name: str(of["ephemeral-storage"]) for name, of in asked.items() if of.get("ephemeral-storage")}


def _size(folder: Path) -> int:
    return disk.disk_usage(folder, MAX_ENTRIES)
