"""image: the files of an image, read-only. The machine's own programs are the one image whose files are on this node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kube.objects import Json
from kubelet.runtimes.process import images
from kubelet.volumes.base import Context, Ready, VolumeError

if TYPE_CHECKING:
    from kube.shapes import PodLike

# Not the machine's root directory, where there is more than programs: /usr holds bin, lib and share as an image's root does.
HOST = "/usr"


async def set_up(pod: PodLike, volume: Json, context: Context) -> Ready:
    reference = volume["image"].get("reference") or ""
    if images.repository(reference) != "host":
        raise VolumeError(
            f'image "{reference}" has no files on this node, which has no container engine; the files of the image "host" '
            f"are the machine's own programs, {HOST}"
        )
    return Ready(HOST, readonly=True)
