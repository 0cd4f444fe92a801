"""emptyDir: scratch space as long-lived as the pod, on disk or in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kube import quantity
from kube.objects import Json
from kubelet.volumes.base import Context, Ready
from kubelet.volumes.ownership import give, usable_group

if TYPE_CHECKING:
    from kube.shapes import PodLike


async def set_up(pod: PodLike, volume: Json, context: Context) -> Ready:
    source = volume["emptyDir"] or {}
    folder = context.folder(pod, "kubernetes.io~empty-dir", volume["name"])
    if not folder.exists():
        folder.mkdir(parents=True)
        give(folder, pod)
    if source.get("medium") != "Memory":
        return Ready(str(folder))
    size = quantity.units(source["sizeLimit"]) if source.get("sizeLimit") else 0
    return Ready(str(folder), memory=True, size=size, group=usable_group(pod))
