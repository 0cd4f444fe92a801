"""Landlock: what is left where no mount namespace can be had.  Source: `linux/landlock.h`."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable

from kubelet.shim import syscalls

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_ALL = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
"""Version: every right over files that it knows; from 5 on ioctl of devices, too."""
_READ = 0b1101  # execute, read a file, list a folder
_OF_FILES = 0b111 | 1 << 14 | 1 << 15  # execute, write, read, truncate, ioctl
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2


def version() -> int:
    """The kernel's version of it, 0 where there is none."""
    try:
        return syscalls.call("landlock", _CREATE, 0, 0, _VERSION_FLAG)
    except OSError:
        return 0


def restrict(readable: Iterable[str], writable: Iterable[str], signals: bool) -> None:
    """From here on the calling process, and all it starts, sees the files below these paths only; gives up privileges.

    Paths that are not there are left out.  Abstract sockets of others are out of reach, and without `signals` other
    processes, too.  Nothing happens where the kernel has no Landlock.
    """
    found = version()
    if not found:
        return
    every = _ALL[found] if found in _ALL else (1 << 16) - 1
    scopes = _ABSTRACT_SOCKETS | (0 if signals else _SIGNALS)
    attributes = struct.pack("=QQQ", every, 0, scopes if found >= 6 else 0)
    size = 8 if found < 4 else 16 if found < 6 else 24
    rules = syscalls.call("landlock", _CREATE, attributes, size, 0)
    for paths, rights in ((readable, _READ), (writable, every)):
        for path in paths:
            try:
                below = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            allowed = rights if stat.S_ISDIR(os.fstat(below).st_mode) else rights & _OF_FILES
            syscalls.call("landlock", _ADD, rules, _PATH_BENEATH, struct.pack("=Qi", allowed & every, below), 0)
            os.close(below)
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.call("landlock", _RESTRICT, rules, 0)
    os.close(rules)
