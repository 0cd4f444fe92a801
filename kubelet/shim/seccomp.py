"""Filters of system calls, which the kubelet has compiled."""

from __future__ import annotations

import ctypes
import struct

from kubelet.shim import syscalls


def install(program: bytes) -> None:
    """From here on the calling process, and all it starts, is held to the filter, an array of `struct sock_filter`.

    The caller may mount, or has given up new privileges.
    """
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    syscalls.prctl_pointer(syscalls.PR_SET_SECCOMP, syscalls.SECCOMP_MODE_FILTER, header)
