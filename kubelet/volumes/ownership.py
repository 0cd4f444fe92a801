"""Whose a volume's files are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kubelet.volumes.payload import group

if TYPE_CHECKING:
    from kube.shapes import PodLike


def usable_group(pod: PodLike) -> int | None:
    """The pod's fsGroup, when we may give files away."""
    return group(pod) if os.geteuid() == 0 else None


def give(folder: Path, pod: PodLike) -> None:
    """A directory that every container of the pod may write, whatever its user."""
    owner = usable_group(pod)
    if owner is not None:
        os.chown(folder, -1, owner)
        folder.chmod(0o2777)
    else:
        folder.chmod(0o777)
