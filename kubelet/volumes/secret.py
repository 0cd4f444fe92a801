"""secret: keys as files, in a directory that other users of the machine cannot enter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kube.objects import Json
from kubelet.volumes import atomic, payload
from kubelet.volumes.base import Context, Ready
from kubelet.volumes.ownership import usable_group

if TYPE_CHECKING:
    from kube.shapes import PodLike


async def set_up(pod: PodLike, volume: Json, context: Context) -> Ready:
    source = volume["secret"]
    mode = source.get("defaultMode", payload.DEFAULT_MODE)
    files = await payload.from_object(pod, "secrets", source, source["secretName"], mode, context)
    folder = context.folder(pod, "kubernetes.io~secret", volume["name"])
    atomic.write(folder, files, usable_group(pod))
    return Ready(str(folder), readonly=True)
