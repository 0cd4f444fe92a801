"""`python -m tests.kubelet.plain COMMAND…`: as user nobody, who can make no namespaces; needs root."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from kubelet.shim import syscalls

NOBODY = 65534


def main(command: list[str]) -> None:
    """A user namespace in which all users are themselves and in which the kernel's limit of namespaces is 0."""
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        os.write(ready[1], b"r")
        os.read(go[0], 1)
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        os.execv(command[0], command)
    os.read(ready[0], 1)
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{child}/{name}").write_text("0 0 65535")
    os.write(go[1], b"g")
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
