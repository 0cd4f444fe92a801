"""hostPath: a file or directory of the machine, checked or made as `type` says."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kube.objects import Json
from kubelet.volumes.base import Context, Ready, VolumeError

if TYPE_CHECKING:
    from kube.shapes import PodLike

_CHECKS: dict[str, Callable[[int], bool]] = {
    "Directory": stat.S_ISDIR,
    "File": stat.S_ISREG,
    "Socket": stat.S_ISSOCK,
    "CharDevice": stat.S_ISCHR,
    "BlockDevice": stat.S_ISBLK,
}


async def set_up(pod: PodLike, volume: Json, context: Context) -> Ready:
    return provide(volume["hostPath"]["path"], volume["hostPath"].get("type") or "")


def provide(name: str, kind: str) -> Ready:
    path = Path(name)
    try:
        if kind in ("DirectoryOrCreate", "") and not path.exists():
            # An empty type checks nothing, and container runtimes make the directory that is missing.
            path.mkdir(parents=True, mode=0o755)
        elif kind == "FileOrCreate" and not path.exists():
            path.touch(mode=0o644)
        mode = path.stat().st_mode
    except OSError as error:
        raise VolumeError(f"hostPath {name}: {error.strerror}") from error
    check = _CHECKS.get(kind.removesuffix("OrCreate"))
    if check is not None and not check(mode):
        raise VolumeError(f"hostPath type check failed: {name} is not a {kind.removesuffix('OrCreate')}")
    return Ready(str(path))
