"""configMap: keys as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kube.objects import Json
from kubelet.volumes import atomic, payload
from kubelet.volumes.base import Context, Ready
from kubelet.volumes.ownership import usable_group

if TYPE_CHECKING:
    from kube.shapes import PodLike


async def set_up(pod: PodLike, volume: Json, context: Context) -> Ready:
    source = volume["configMap"]
    mode = source.get("defaultMode", payload.DEFAULT_MODE)
    files = await payload.from_object(pod, "configmaps", source, source["name"], mode, context)
    folder = context.folder(pod, "kubernetes.io~configmap", volume["name"])
    atomic.write(folder, files, usable_group(pod))
    return Ready(str(folder), readonly=True)
