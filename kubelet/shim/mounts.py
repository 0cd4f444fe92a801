"""A container's view of the machine's file system: volumes at their mountPath, the host's own files untouched.

The image is the machine itself, so a mountPath such as /config may not exist, and must not be made on the host.  A
directory that lacks a mount point is *mirrored*: a tmpfs takes its place in this container's mount namespace, and
every entry of the original is bound into it; there the mount point can be made.
"""

from __future__ import annotations

import os
import re
import stat

from kubelet.shim import subpaths
from kubelet.shim.syscalls import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REC, MS_REMOUNT, mount

MAX_MIRRORED = 5000
_KERNEL = ("/dev", "/proc", "/sys")


class View:
    """Builds the view in the mount namespace of the calling process; `root` is a folder to build on if needed."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._mirrored: set[str] = set()
        self._made: list[str] = []
        self._points: list[str] = []

    def enter(self, mounts: list[dict[str, object]]) -> None:
        """Applies mounts `{source, below, target, readonly}`, outer targets first; may change the root directory."""
        targets = [str(entry["target"]) for entry in mounts]
        # Sources are opened first: a mirror or another volume may hide their path.
        sources = []
        for entry in mounts:
            source, below = str(entry["source"]), str(entry.get("below") or "")
            path = subpaths.provide(source, below) if below else source
            sources.append(os.open(path, os.O_PATH | os.O_CLOEXEC))
        if any(not os.path.lexists("/" + target.strip("/").split("/")[0]) for target in targets):
            os.makedirs(self._root, exist_ok=True)
            fill("/", self._root)
            os.chroot(self._root)
            os.chdir("/")
            self._mirrored.add("/")
        order = sorted(range(len(mounts)), key=lambda i: targets[i].rstrip("/").count("/"))
        for i in order:
            point = self._provide(targets[i], stat.S_ISDIR(os.fstat(sources[i]).st_mode))
            bind_fd(sources[i], point)
            if mounts[i].get("readonly"):
                _read_only(point)
            self._made.append(point)
            self._points.append(point)
        for fd in sources:
            os.close(fd)

    def seal(self) -> None:
        """Makes all read-only but the volumes and what the kernel shows of itself (readOnlyRootFilesystem)."""
        for point in _mount_points():
            if not any(point == kept or point.startswith(kept + "/") for kept in (*_KERNEL, *self._points)):
                try:
                    _read_only(point)
                except OSError:
                    if point == "/":
                        raise

    def _provide(self, target: str, directory: bool) -> str:
        """The real path of `target`, made if it is missing."""
        point = os.path.realpath(target)
        if os.path.exists(point):
            return point
        parent = os.path.dirname(point)
        while not os.path.isdir(parent):
            parent = os.path.dirname(parent)
        # Ours are mirrors (their entries are the host's), volumes, and what lies in volumes.
        made = any(parent == ours or parent.startswith(ours + "/") for ours in self._made)
        if not made and parent not in self._mirrored:
            fill(parent, parent)
            self._mirrored.add(parent)
        self._made.append(os.path.join(parent, os.path.relpath(point, parent).split("/")[0]))
        if directory:
            os.makedirs(point)
        else:
            os.makedirs(os.path.dirname(point), exist_ok=True)
            os.close(os.open(point, os.O_CREAT | os.O_WRONLY, 0o644))
        return point


def fill(source: str, target: str) -> None:
    """Mounts a tmpfs on `target` that holds every entry of `source`, bound or (links) made again."""
    info = os.stat(source)
    origin = os.open(source, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        names = os.listdir(source)
        if len(names) > MAX_MIRRORED:
            raise OSError(f"{source} has {len(names)} entries; a mount point below it has to exist already")
        mount("tmpfs", target, "tmpfs", MS_NOSUID, f"mode={stat.S_IMODE(info.st_mode):o},size=16m")
        for name in names:
            _copy_entry(origin, name, os.path.join(target, name))
    finally:
        os.close(origin)


def _copy_entry(origin: int, name: str, target: str) -> None:
    try:
        mode = os.lstat(name, dir_fd=origin).st_mode
        if stat.S_ISLNK(mode):
            os.symlink(os.readlink(name, dir_fd=origin), target)
            return
        if stat.S_ISDIR(mode):
            os.mkdir(target)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))
        mount(f"/proc/self/fd/{origin}/{name}", target, "", MS_BIND | MS_REC)
    except FileNotFoundError:
        return  # it went away between listing and binding


def _mount_points() -> list[str]:
    """Where something is mounted below our root directory; blanks and the like are written as octal numbers there."""
    with open("/proc/self/mountinfo") as file:
        paths = [line.split(" ")[4] for line in file]
    return [re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path) for path in paths]


def bind_fd(source: int, target: str) -> None:
    mount(f"/proc/self/fd/{source}", target, "", MS_BIND | MS_REC)


def _read_only(point: str) -> None:
    flags = os.statvfs(point).f_flag
    # A user namespace may not drop the flags that the original mount carries.
    kept = sum(flag for flag in (MS_NOSUID, MS_NODEV, MS_NOEXEC) if flags & flag)
    mount("", point, "", MS_REMOUNT | MS_BIND | MS_RDONLY | kept)
