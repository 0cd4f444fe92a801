"""The log folders of pods that are gone: kept a while for who reads them, such as a log shipper that was down."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from pathlib import Path

from kubelet.disk import disk_usage, remove_tree

log = logging.getLogger("kubelet.logs")

KEPT = 600.0  # seconds after a pod is gone
MOST = 512 << 20  # bytes that all of them may take


class DeadLogs:
    """Of one node. How long a folder has been dead is known since this process first saw it so."""

    def __init__(self, folder: Path, kept: float = KEPT, most: int = MOST) -> None:
        self._folder, self._kept, self._most = folder, kept, most
        self._since: dict[str, float] = {}

    def names(self) -> list[str]:
        """The folders that are there, of pods that live too."""
        return os.listdir(self._folder) if self._folder.is_dir() else []

    def sweep(self, names: Collection[str], known: Collection[str], now: float, pressed: bool = False) -> None:
        """One look, at `now` in seconds. `names` were there before `known`, the uids of the pods that live, was: so no folder
        of a new pod is among the dead. `pressed`: the disk is needed, all go.

        First those go that have been dead too long, then the oldest until the rest fits.
        """
        dead = {name for name in names if name.rpartition("_")[2] not in known}
        self._since = {name: self._since.get(name, now) for name in dead}
        sizes = {name: disk_usage(self._folder / name) for name in dead}
        total = sum(sizes.values())
        for name in sorted(dead, key=lambda name: (self._since[name], name)):
            if not pressed and now - self._since[name] < self._kept and total <= self._most:
                return
            log.info("removing the logs %s of a pod that is gone", name)
            remove_tree(self._folder / name)
            total -= sizes[name]
            del self._since[name]
