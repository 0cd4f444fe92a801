"""projected: several sources in one directory, service account tokens among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kube.objects import Json
from kubelet.volumes import atomic, payload
from kubelet.volumes.base import Context, Ready, VolumeError
from kubelet.volumes.ownership import usable_group

if TYPE_CHECKING:
    from kube.shapes import PodLike


async def set_up(pod: PodLike, volume: Json, context: Context) -> Ready:
    source = volume["projected"]
    mode = source.get("defaultMode", payload.DEFAULT_MODE)
    files: dict[str, atomic.File] = {}
    for entry in source.get("sources") or ():
        files.update(await _files(pod, entry, mode, context))
    folder = context.folder(pod, "kubernetes.io~projected", volume["name"])
    atomic.write(folder, files, usable_group(pod))
    return Ready(str(folder), readonly=True)


async def _files(pod: PodLike, entry: Json, mode: int, context: Context) -> dict[str, atomic.File]:
    if "configMap" in entry:
        return await payload.from_object(
            pod, "configmaps", entry["configMap"], entry["configMap"]["name"], mode, context
        )
    if "secret" in entry:
        return await payload.from_object(pod, "secrets", entry["secret"], entry["secret"]["name"], mode, context)
    if "downwardAPI" in entry:
        return payload.from_downward(pod, entry["downwardAPI"].get("items") or [], mode, context)
    if "serviceAccountToken" in entry:
        return await payload.from_token(pod, entry["serviceAccountToken"], mode, context)
    raise VolumeError(f"projected source {', '.join(entry)} is not supported by this kubelet")
