"""Which logs there are on the node: those of containers, and those of the node's own programs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from logs.record import Source

# What runs on every node; the other programs with a log beside theirs are the control plane.
NODE_PROGRAMS = frozenset(
    {"kubelet", "kubeproxy", "kube-proxy", "containerd", "supervisord", "syslog", "kern", "daemon"}
)

_LIVE = re.compile(r"(.+?\.log)(?:\..+)?$")
_ATTEMPT = re.compile(r"(\d+)\.log")


class Where(NamedTuple):
    """A log by its place. Of containers namespace, pod, uid, container and attempt are known; of programs the name."""

    path: str
    source: Source
    container: str
    namespace: str = ""
    pod: str = ""
    uid: str = ""
    attempt: int = 0

    @property
    def name(self) -> str:
        """What the ids of its lines are made of."""
        return f"{self.uid}/{self.container}/{self.attempt}" if self.uid else f"{self.source}/{self.container}"


def containers(root: Path) -> Iterator[Where]:
    """The logs below `root`: `<namespace>_<pod>_<uid>/<container>/<attempt>.log` and what rotation made of it."""
    for folder in _folders(root):
        parts = folder.name.split("_")
        if len(parts) != 3:
            continue
        namespace, pod, uid = parts
        for inner in _folders(folder):
            for path in _live(inner):
                attempt = _ATTEMPT.fullmatch(os.path.basename(path))
                if attempt:
                    yield Where(path, "container", inner.name, namespace, pod, uid, int(attempt[1]))


def programs(root: Path) -> Iterator[Where]:
    """`<root>/<program>.log`, one of the node's or of the control plane's."""
    for path in _live(root):
        name = os.path.basename(path).removesuffix(".log")
        yield Where(path, "node" if name in NODE_PROGRAMS else "control-plane", name)


def _folders(root: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(root) as entries:
            return [entry for entry in entries if entry.is_dir()]
    except OSError:
        return []  # not there yet, or removed in this moment


def _live(folder: Path | os.DirEntry[str]) -> set[str]:
    """The live files' paths, also of those of which only rotated ones are there."""
    try:
        names = os.listdir(folder)
    except OSError:
        return set()
    return {
        os.path.join(os.fspath(folder), found[1])
        for name in names
        if (found := _LIVE.match(name)) and not name.endswith(".tmp")
    }
