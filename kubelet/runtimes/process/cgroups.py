"""Control groups of containers, in whichever version the machine has mounted and lets us write."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

from kubelet.runtimes.base import Limits

log = logging.getLogger("kubelet.cgroups")
PERIOD = 100_000
CONTROLLERS = ("cpu", "memory", "pids")
V1_CONTROLLERS = ("cpu", "cpuacct", "memory", "pids")


class Cgroups:
    """Groups `<our own group>/<name>/<pod uid>/<container>`; `roots` are the writable hierarchies, maybe none.

    Living below the kubelet's own group, they stay within any limit that was set for it.
    """

    def __init__(self, name: str, pids_limit: int, root: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc")):
        self._pids = pids_limit
        self._unified = (root / "cgroup.controllers").exists()
        self.roots = self._find_unified(root, name) if self._unified else self._find_v1(root, proc, name)

    def _find_v1(self, root: Path, proc: Path, name: str) -> dict[str, Path]:
        own = {}
        for line in (proc / "self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            own.update(dict.fromkeys(controllers.split(","), path))
        found = {}
        for controller in V1_CONTROLLERS:
            folder = root / controller / own.get(controller, "/").lstrip("/") / name
            if _make(folder):
                found[controller] = folder
        return found

    def _find_unified(self, root: Path, name: str) -> dict[str, Path]:
        folder = root / name
        if not _make(folder):
            return {}
        wanted = " ".join(f"+{controller}" for controller in CONTROLLERS)
        for level in (root, folder):
            if not _write(level / "cgroup.subtree_control", wanted):
                return {}
        return {"": folder}

    def create(self, uid: str, container: str, limits: Limits) -> list[str]:
        """Makes the groups of a container; the `cgroup.procs` files its first process has to enter."""
        entries = []
        for controller, root in self.roots.items():
            folder = root / uid / container
            with contextlib.suppress(FileExistsError):
                folder.mkdir(parents=True)
            if self._unified:
                _write(folder.parent / "cgroup.subtree_control", "+cpu +memory +pids")
            self._limit(folder, controller, limits)
            entries.append(str(folder / "cgroup.procs"))
        return entries

    def change(self, uid: str, container: str, limits: Limits) -> None:
        """Other limits for a container that runs; raises OSError, and changes nothing, when it uses more memory already.

        The kernel would refuse that limit (version 1) or kill for it (version 2).
        """
        used = self.memory_bytes(uid, container) or 0
        if 0 < limits.memory_bytes < used:
            raise OSError(f"the memory limit of {limits.memory_bytes} bytes is below the {used} bytes in use")
        for controller, folder in self.folders(uid, container).items():
            self._limit(folder, controller, limits)

    def _limit(self, folder: Path, controller: str, limits: Limits) -> None:
        for file, value in self._settings(controller, limits):
            _write(folder / file, value)

    def _settings(self, controller: str, limits: Limits) -> list[tuple[str, str]]:
        quota = limits.cpu_millis * PERIOD // 1000
        if self._unified:
            weight = 1 + (limits.shares - 2) * 9999 // 262142
            return [
                ("cpu.max", f"{quota or 'max'} {PERIOD}"),
                ("cpu.weight", str(max(1, weight))),
                ("memory.max", str(limits.memory_bytes or "max")),
                ("memory.oom.group", "1"),
                ("pids.max", str(self._pids)),
            ]
        if controller == "cpu":
            return [("cpu.shares", str(limits.shares)), ("cpu.cfs_quota_us", str(quota or -1))]
        if controller == "memory":
            return [("memory.limit_in_bytes", str(limits.memory_bytes or -1))]
        return [("pids.max", str(self._pids))] if controller == "pids" else []

    def folders(self, uid: str, container: str) -> dict[str, Path]:
        """The groups of a container by controller ("" in version 2), where they are."""
        found = {controller: root / uid / container for controller, root in self.roots.items()}
        return {controller: folder for controller, folder in found.items() if folder.is_dir()}

    def oom_killed(self, uid: str, container: str) -> bool:
        """Whether the kernel killed a process of the container for want of memory."""
        for controller, file in (("", "memory.events"), ("memory", "memory.oom_control")):
            if controller in self.roots:
                with contextlib.suppress(OSError):
                    words = (self.roots[controller] / uid / container / file).read_text().split()
                    return int(words[words.index("oom_kill") + 1]) > 0
        return False

    def memory_bytes(self, uid: str, container: str) -> int | None:
        for controller, file in (("", "memory.current"), ("memory", "memory.usage_in_bytes")):
            if controller in self.roots:
                with contextlib.suppress(OSError):
                    return int((self.roots[controller] / uid / container / file).read_text())
        return None

    def remove(self, uid: str, container: str = "") -> None:
        """Removes the groups of a container, or of a whole pod; processes must be gone."""
        for root in self.roots.values():
            folders = [root / uid / container] if container else [*_children(root / uid), root / uid]
            for folder in folders:
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def remove_all(self) -> None:
        """Removes every group of this kubelet in which nothing runs any more."""
        for root in self.roots.values():
            for pod in _children(root):
                self.remove(pod.name)
            with contextlib.suppress(OSError):
                root.rmdir()


def _children(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if entry.is_dir()] if folder.is_dir() else []


def _make(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _write(file: Path, value: str) -> bool:
    try:
        file.write_text(value)
    except OSError as error:
        log.warning("%s: %s could not be set: %s", file, value, error)
        return False
    return True
