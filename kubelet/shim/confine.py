"""What a container's program may do: capabilities, system calls, privileges gained by executing another program."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection

from kubelet.shim import syscalls

CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip
"""In the order of the kernel's numbers, from 0."""


def hide() -> None:
    """Until it executes its program, no other process may look into this one: it still has descriptors of the shim."""
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)


def bound(capabilities: Collection[str]) -> None:
    """No program that is executed from here on gets other ones, not even root's; other users' programs have none."""
    if os.geteuid() != 0:
        return
    syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
    for number, name in enumerate(CAPABILITIES):
        if name not in capabilities:
            try:
                syscalls.prctl(syscalls.PR_CAPBSET_DROP, number)
            except OSError as error:
                if error.errno != errno.EINVAL:  # a kernel that is older than this capability
                    raise


def give_up(capabilities: Collection[str]) -> None:
    """This process keeps no more than these, and passes none on but through what root's programs get by the bound."""
    if os.geteuid() == 0:
        syscalls.keep_capabilities(sum(1 << n for n, name in enumerate(CAPABILITIES) if name in capabilities))
