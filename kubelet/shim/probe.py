"""Finds out what this user may do on this kernel: `python -I -S probe.py` prints it as JSON.

`{"user": needs a user namespace of its own, "mount": bool, "pid": bool, "network": bool, "uts": bool,
"landlock": bool, "users": ranges of ids for single pods}`
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from kubelet.shim import landlock, pod, syscalls


def works(attempt: Callable[[], None]) -> bool:
    """Whether `attempt` succeeds in a child process, whose namespaces vanish with it."""
    pid = os.fork()
    if pid == 0:
        try:
            attempt()
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def with_namespaces(*names: str) -> bool:
    def attempt() -> None:
        pod.enter_namespaces({"namespaces": names})
        if "mount" in names:
            syscalls.mount("tmpfs", "/tmp", "tmpfs")
            os.close(syscalls.clone_mounts("/usr", syscalls.MOUNT_ATTR_RDONLY))  # Linux 5.12

    return works(attempt)


def private_proc(*outer: str) -> bool:
    """Whether a process namespace can be made and its /proc be mounted."""

    def attempt() -> None:
        pod.enter_namespaces({"namespaces": outer})
        syscalls.unshare(syscalls.CLONE_NEWPID)
        if not works(lambda: syscalls.mount("proc", "/proc", "proc")):
            raise OSError("no private /proc")

    return works(attempt)


def own_users() -> bool:
    """Whether a pod can have a range of ids of its own, and see files with them; Linux 5.12."""

    def attempt() -> None:
        users = pod.enter_namespaces({"namespaces": ("mount", "uts"), "firstId": 1 << 24})
        assert users is not None
        os.close(syscalls.clone_mounts("/usr", syscalls.MOUNT_ATTR_RDONLY, users.namespace))

    return works(attempt)


def main() -> None:
    privileged = with_namespaces("mount")
    user = not privileged and with_namespaces("user", "mount")
    outer = ("user", "mount") if user else ("mount",)
    mount = privileged or user
    print(
        json.dumps(
            {
                "user": user,
                "mount": mount,
                "pid": mount and private_proc(*outer),
                "uts": mount and with_namespaces(*outer, "uts"),
                "landlock": landlock.version() > 0,
                "users": privileged and own_users(),
                "network": privileged and with_namespaces("mount", "network"),
            }
        )
    )


if __name__ == "__main__":
    main()
