"""A container's own root directory: what its image shows of the machine, read-only, and its volumes.

The root is a folder of the container's own, on the disk: what it writes anywhere but in a volume stays there, and goes
with it.  The image's folders are bound into it, then it becomes the root of the mount namespace, and the machine's
files are gone from it.  Only then volumes are put in their places: links that a volume holds lead nowhere else.

A mountPath within a read-only folder of the image, such as /usr/share/app, may not exist there.  The folder above it is
then *mirrored*: a tmpfs takes its place, every entry of the original is bound into it, and the mount point can be made.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kubelet.shim import subpaths, syscalls
from kubelet.shim.syscalls import MOUNT_ATTR_NODEV, MOUNT_ATTR_RDONLY, MS_NODEV, MS_NOEXEC, MS_NOSUID, mount
from kubelet.shim.users import Users

MAX_MIRRORED = 5000
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {
    "/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2", "/dev/ptmx": "pts/ptmx", "/var/run": "/run", "/var/lock": "/run/lock",
}  # fmt: skip
_FOLDERS = {
    **dict.fromkeys(
        ("/dev", "/proc", "/sys", "/etc", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv"), 0o755
    ),
    **dict.fromkeys(("/var", "/var/cache", "/var/lib", "/var/log", "/var/spool"), 0o755),
    **dict.fromkeys(("/tmp", "/var/tmp", "/run/lock"), 0o1777),
}
"""What every image has, with its mode."""
MASKED = (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap",
    "/sys/firmware", "/sys/kernel/security",
)  # fmt: skip
"""What a container must not read of the kernel, as container runtimes have it."""
SEALED = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
"""What it may read and not write."""


@dataclass(frozen=True)
class Kernel:
    """What the kernel shows of itself."""

    own_processes: bool
    """Only those of the process namespace that the container has joined."""
    privileged: bool
    """The machine's devices; everything can be written."""
    unmasked: bool
    """Nothing of /proc and /sys is hidden."""
    cgroups: Sequence[str] = ()
    """Folders of the container's control groups."""


class Root:
    """The root directory of the calling process, which is alone in its mount namespace; `folder` must not exist yet."""

    def __init__(self, folder: str, kernel: Kernel, users: Users | None = None) -> None:
        self._folder, self._kernel, self._users = folder, kernel, users
        self._first, self._namespace = (users.first, users.namespace) if users else (0, -1)

    def enter(self, layout: dict[str, Any], mounts: list[dict[str, Any]], shm: str, home: tuple[str, int, int]) -> None:
        """`layout`: `{"binds": [[source, target]], "links": [[path, text]], "hidden": [path]}` of the image.

        `mounts`: `{source, below, target, readonly}`.  `shm` is the folder of shared memory; `home` that of the user, with
        uid and gid (-1: whoever this is).
        """
        volumes = [self._open(entry) for entry in mounts]
        if self._users is not None:
            self._users.make_as_root()
        self._make(layout)
        self._show_kernel(shm)
        old = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        os.chdir(self._folder)
        syscalls.pivot_root(".", ".")
        os.fchdir(old)
        syscalls.unmount(".", syscalls.MNT_DETACH)
        os.close(old)
        os.chdir("/")
        _make_home(home[0], *(own + self._first if own >= 0 else own for own in home[1:]))
        # Outer ones first, so that an inner one is not hidden.
        for entry, tree in sorted(zip(mounts, volumes, strict=True), key=lambda pair: _depth(pair[0]["target"])):
            _place(tree, str(entry["target"]))
        if not (self._kernel.unmasked or self._kernel.privileged):
            _mask()

    def seal(self) -> None:
        """Nothing of the root itself can be written any more (readOnlyRootFilesystem)."""
        _read_only("/")

    def _open(self, entry: dict[str, Any]) -> int:
        """The tree of a volume, not mounted anywhere yet."""
        attributes = 0 if self._kernel.privileged else MOUNT_ATTR_NODEV
        if entry.get("readonly"):
            attributes |= MOUNT_ATTR_RDONLY
        if not entry.get("below"):
            return self._clone(str(entry["source"]), attributes)
        fd = subpaths.open_below(str(entry["source"]), str(entry["below"]))
        try:
            return self._clone(f"/proc/self/fd/{fd}", attributes)
        finally:
            os.close(fd)

    def _clone(self, source: str, attributes: int) -> int:
        try:
            return syscalls.clone_mounts(source, attributes, self._namespace)
        except OSError as error:
            if self._users is None or error.errno not in (errno.EINVAL, errno.EPERM):
                raise
            raise OSError(
                f"hostUsers: false cannot be had with the volume {os.path.realpath(source)}: its file system, or one that is "
                f"mounted below it, has no ids that can be mapped ({os.strerror(error.errno)})",
            ) from error

    def _make(self, layout: dict[str, Any]) -> None:
        """The root's folders, and in them those of the image."""
        os.mkdir(self._folder)
        syscalls.bind(self._folder, self._folder, 0 if self._kernel.privileged else MOUNT_ATTR_NODEV)
        for path, mode in _FOLDERS.items():
            os.mkdir(self._folder + path)
            os.chmod(self._folder + path, mode)
        for path, text in (*_LINKS.items(), *layout["links"]):
            if not path.startswith("/dev/"):
                os.symlink(text, self._folder + path)
        for source, target in layout["binds"]:
            if os.path.exists(source):
                _provide(self._folder + target, os.path.isdir(source))
                syscalls.attach_mounts(self._image(source), self._folder + target)
        for path in layout["hidden"]:
            if os.path.isdir(self._folder + path):
                mount(
                    "none", self._folder + path, "tmpfs", MS_NOSUID | MS_NODEV | syscalls.MS_RDONLY, "size=4k,mode=755"
                )

    def _image(self, source: str) -> int:
        """A part of the image; where its owners cannot be mapped they are nobody, which is enough to read."""
        if self._users is not None:
            with contextlib.suppress(OSError):
                return syscalls.clone_mounts(source, MOUNT_ATTR_RDONLY, self._namespace)
        return syscalls.clone_mounts(source, MOUNT_ATTR_RDONLY)

    def _show_kernel(self, shm: str) -> None:
        """/proc, /sys and /dev."""
        common = MS_NOSUID | MS_NODEV | MS_NOEXEC
        if self._kernel.own_processes:
            mount("proc", self._folder + "/proc", "proc", common)
        else:
            syscalls.bind("/proc", self._folder + "/proc")
        self._show_sys(common)
        if self._kernel.privileged:
            mirror("/dev", self._folder + "/dev")
        else:
            self._show_devices(common)
        os.makedirs(self._folder + "/dev/shm", exist_ok=True)
        syscalls.bind(shm, self._folder + "/dev/shm", users=self._namespace)

    def _show_sys(self, flags: int) -> None:
        target = self._folder + "/sys"
        readonly = 0 if self._kernel.privileged else syscalls.MS_RDONLY
        try:
            mount("sysfs", target, "sysfs", flags | readonly)
        except OSError:  # it belongs to the network namespace, which is not ours to show
            syscalls.bind("/sys", target, MOUNT_ATTR_RDONLY if readonly else 0)
            return
        if not os.path.isdir(target + "/fs/cgroup"):
            return
        if self._kernel.privileged:
            syscalls.bind("/sys/fs/cgroup", target + "/fs/cgroup")
            return
        groups = {_controller(group): group for group in self._kernel.cgroups}
        if "" in groups:
            syscalls.bind(groups[""], target + "/fs/cgroup", MOUNT_ATTR_RDONLY)
            return
        mount("none", target + "/fs/cgroup", "tmpfs", flags, "size=64k,mode=755")
        for controller, group in groups.items():
            os.mkdir(f"{target}/fs/cgroup/{controller}")
            syscalls.bind(group, f"{target}/fs/cgroup/{controller}", MOUNT_ATTR_RDONLY)
        _read_only(target + "/fs/cgroup")

    def _show_devices(self, flags: int) -> None:
        target = self._folder + "/dev"
        mount("none", target, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=755")
        for name in _DEVICES:
            os.close(os.open(f"{target}/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
            syscalls.bind(f"/dev/{name}", f"{target}/{name}")
        os.mkdir(target + "/pts")
        options = "newinstance,ptmxmode=0666,mode=0620" + (f",gid={self._first + 5}" if os.geteuid() == 0 else "")
        mount("devpts", target + "/pts", "devpts", MS_NOSUID | MS_NOEXEC, options)
        for path, text in _LINKS.items():
            if path.startswith("/dev/"):
                os.symlink(text, self._folder + path)
        if os.isatty(0):
            os.close(os.open(target + "/console", os.O_CREAT | os.O_WRONLY, 0o600))
            syscalls.bind(os.ttyname(0), target + "/console")


def _make_home(path: str, uid: int, gid: int) -> None:
    """Within the new root: the pod says where it is, and may say anything."""
    if not path.startswith("/") or os.path.lexists(path):
        return
    with contextlib.suppress(OSError):  # a place where nothing can be made
        os.makedirs(path)
        os.chmod(path, 0o700)
        if os.geteuid() == 0:
            os.chown(path, uid, gid)


def _depth(target: Any) -> int:
    return str(target).rstrip("/").count("/")


def _controller(group: str) -> str:
    """What is mounted where this control group is: a controller of version 1, "" for version 2."""
    path = group.removeprefix("/sys/fs/cgroup/")
    return "" if os.path.exists(os.path.join(group, "cgroup.controllers")) else path.split("/")[0]


def _place(tree: int, target: str) -> None:
    """Mounts a volume's tree at `target`, which is made if it is missing."""
    point = os.path.realpath(target)
    if any(point == kept or point.startswith(kept + "/") for kept in ("/proc", "/sys")):
        raise OSError(errno.EPERM, f"mountPath {target} lies in {point.split('/')[1]}, which is the kernel's")
    directory = stat.S_ISDIR(os.fstat(tree).st_mode)
    if not os.path.lexists(point):
        try:
            _provide(point, directory)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            parent = os.path.dirname(point)
            while not os.path.isdir(parent):
                parent = os.path.dirname(parent)
            mirror(parent, parent)
            _provide(point, directory)
    syscalls.attach_mounts(tree, point)


def _provide(point: str, directory: bool) -> None:
    if directory:
        os.makedirs(point, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(point), exist_ok=True)
        os.close(os.open(point, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o644))


def mirror(source: str, target: str) -> None:
    """Mounts a tmpfs on `target` that holds every entry of `source`, bound or (links) made again."""
    info = os.stat(source)
    names = os.listdir(source)
    if len(names) > MAX_MIRRORED:
        raise OSError(f"{source} has {len(names)} entries; a mount point below it has to exist already")
    trees = {name: syscalls.clone_mounts(f"{source}/{name}", 0) for name in names if _bindable(f"{source}/{name}")}
    links = {name: os.readlink(f"{source}/{name}") for name in names if os.path.islink(f"{source}/{name}")}
    mount("none", target, "tmpfs", MS_NOSUID, f"mode={stat.S_IMODE(info.st_mode):o},size=16m")
    for name, tree in trees.items():
        _provide(f"{target}/{name}", stat.S_ISDIR(os.fstat(tree).st_mode))
        syscalls.attach_mounts(tree, f"{target}/{name}")
    for name, text in links.items():
        os.symlink(text, f"{target}/{name}")


def _bindable(path: str) -> bool:
    return os.path.exists(path) and not os.path.islink(path)  # it may go away between listing and binding


def _mask() -> None:
    for path in MASKED:
        if os.path.isdir(path):
            mount("none", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | syscalls.MS_RDONLY, "size=4k,mode=755")
        elif os.path.exists(path):
            syscalls.bind("/dev/null", path)
    for path in SEALED:
        if os.path.exists(path):
            syscalls.bind(path, path, MOUNT_ATTR_RDONLY)


def _read_only(point: str) -> None:
    flags = os.statvfs(point).f_flag
    # A user namespace may not drop the flags that the mount carries.
    kept = sum(flag for flag in (MS_NOSUID, MS_NODEV, MS_NOEXEC) if flags & flag)
    mount("", point, "", syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | kept)
