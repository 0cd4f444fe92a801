"""The user namespace of a pod with `hostUsers: false`: its ids from 0 on are a range of the machine's that nobody else has.

The shim stays the machine's root, which writes logs and enters control groups.  A container is prepared by it, too: what it
makes belongs to the pod's root, and what it mounts shows the pod its own ids.  Then it becomes that root.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from kubelet.shim import syscalls

COUNT = 65_536
"""Ids of each pod."""


@dataclass(frozen=True)
class Users:
    """`namespace` is a descriptor of it, `first` the machine's id that is 0 there."""

    namespace: int
    first: int

    def own_streams(self, uid: int) -> None:
        """The container's user may open its standard streams anew (/dev/stdout), as a container runtime lets him."""
        for fd in range(3):
            if not os.path.samestat(os.fstat(fd), os.stat("/dev/null")):
                os.fchown(fd, self.first + uid, -1)

    def make_as_root(self) -> None:
        """What this process makes from here on belongs to the pod's root; it may do as much as before."""
        syscalls.file_ids(self.first, self.first)
        syscalls.raise_capabilities()

    def enter(self) -> None:
        """This process is the pod's root from here on, and nobody's on the machine."""
        syscalls.setns(self.namespace, syscalls.CLONE_NEWUSER)
        os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)


def make(first: int, kinds: Sequence[str], flags: int) -> Users:
    """A user namespace, and namespaces (`kinds` as in /proc/PID/ns, `flags` CLONE_NEW…) that belong to it and are joined.

    A process that only holds them makes them: who makes a user namespace is in it, and the shim is not to be.
    """
    made_read, made_write = os.pipe()
    mapped_read, mapped_write = os.pipe()
    holder = os.fork()
    if holder == 0:
        try:
            os.close(made_read)
            os.close(mapped_write)
            syscalls.unshare(syscalls.CLONE_NEWUSER)
            os.write(made_write, b"u")
            os.read(mapped_read, 1)
            syscalls.unshare(flags)
            os.write(made_write, b"n")
            os.read(mapped_read, 1)
        finally:
            os._exit(0)
    os.close(made_write)
    os.close(mapped_read)
    try:
        _await(made_read)
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{holder}/{name}", "w") as file:
                file.write(f"0 {first} {COUNT}")
        os.write(mapped_write, b"m")
        _await(made_read)
        user, *others = (os.open(f"/proc/{holder}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("user", *kinds))
        for fd in others:
            syscalls.setns(fd, 0)
            os.close(fd)
    finally:
        os.close(mapped_write)
        os.close(made_read)
        os.waitpid(holder, 0)
    return Users(user, first)


def _await(read: int) -> None:
    if not os.read(read, 1):
        raise OSError("no user namespace could be made for the pod")
