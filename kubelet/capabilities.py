"""Linux capabilities by name, as securityContext.capabilities has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubelet.runtimes.base import ConfigError

NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip
"""In the order of the kernel's numbers, from 0."""


def dropped(capabilities: dict[str, Any]) -> tuple[int, ...]:
    """The numbers of what `drop` takes and `add` does not give back; ConfigError for a name that is none."""
    drop, add = _numbers(capabilities.get("drop") or ()), _numbers(capabilities.get("add") or ())
    return tuple(sorted(drop - add))


def _numbers(names: Iterable[str]) -> set[int]:
    found: set[int] = set()
    for name in names:
        short = name.upper().removeprefix("CAP_")
        if short == "ALL":
            found.update(range(len(NAMES)))
        elif short in NAMES:
            found.add(NAMES.index(short))
        else:
            raise ConfigError(f'unknown capability "{name}"')
    return found
