"""The default system call filter of containers: what it refuses is what container runtimes refuse by default.

Refused calls answer EPERM, as a call without the right does.  A call that a capability stands for is let through to
containers that were given the capability.  Numbers are those of the kernel's headers (`asm/unistd_64.h`,
`asm-generic/unistd.h`); the program's form is that of `linux/filter.h` and `linux/seccomp.h`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable

from kubelet.shim import syscalls

_Numbers = tuple[int, int | None]
_NEVER: dict[str, _Numbers] = {
    "add_key": (248, 217), "keyctl": (250, 219), "request_key": (249, 218),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294),
    "swapon": (167, 224), "swapoff": (168, 225), "pivot_root": (155, 41),
    "move_pages": (279, 239), "migrate_pages": (256, 238), "userfaultfd": (323, 282), "nfsservctl": (180, 42),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "create_module": (174, None), "get_kernel_syms": (177, None), "query_module": (178, None),
    "uselib": (134, None), "ustat": (136, None), "sysfs": (139, None), "_sysctl": (156, None),
}  # fmt: skip
"""Call: (number on x86-64, number on ARM 64), None where there is none."""

_WITH: dict[str, dict[str, _Numbers]] = {
    "SYS_ADMIN": {
        "bpf": (321, 280), "fanotify_init": (300, 262), "fsconfig": (431, 431), "fsmount": (432, 432),
        "fsopen": (430, 430), "fspick": (433, 433), "lookup_dcookie": (212, 18), "mount": (165, 40),
        "mount_setattr": (442, 442), "move_mount": (429, 429), "open_tree": (428, 428),
        "perf_event_open": (298, 241), "quotactl": (179, 60), "quotactl_fd": (443, 443),
        "setdomainname": (171, 162), "sethostname": (170, 161), "setns": (308, 268), "syslog": (103, 116),
        "umount2": (166, 39), "unshare": (272, 97),
    },
    "BPF": {"bpf": (321, 280)},
    "DAC_READ_SEARCH": {"open_by_handle_at": (304, 265)},
    "PERFMON": {"perf_event_open": (298, 241)},
    "SYSLOG": {"syslog": (103, 116)},
    "SYS_BOOT": {"reboot": (169, 142)},
    "SYS_CHROOT": {"chroot": (161, 51)},
    "SYS_MODULE": {"init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106)},
    "SYS_NICE": {"get_mempolicy": (239, 236), "set_mempolicy": (238, 237), "mbind": (237, 235),
                 "set_mempolicy_home_node": (450, 450)},
    "SYS_PACCT": {"acct": (163, 89)},
    "SYS_PTRACE": {"kcmp": (312, 272), "pidfd_getfd": (438, 438)},
    "SYS_RAWIO": {"iopl": (172, None), "ioperm": (173, None)},
    "SYS_TIME": {"settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266)},
    "SYS_TTY_CONFIG": {"vhangup": (153, 58)},
}  # fmt: skip
"""Refused but to who has one of the capabilities that name the call."""

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Machine: (column of the numbers above, AUDIT_ARCH)."""
_CLONE, _CLONE3, _PERSONALITY = (56, 220), (435, 435), (135, 92)
_NAMESPACES = 0x7E020000  # every CLONE_NEW… but that of time, which shares its bit with a signal number
_PERSONALITIES = (0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
_X32 = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data; of the argument the lower half
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


def program(machine: str, capabilities: Iterable[str]) -> bytes | None:
    """The filter for containers with these capabilities, as an array of `struct sock_filter`; None: not known here."""
    if machine not in _MACHINES:
        return None
    column, arch = _MACHINES[machine]
    given = set(capabilities)
    allowed = {call for capability in given for call in _WITH.get(capability, ())}
    refused = dict(_NEVER)
    for calls in _WITH.values():
        refused.update({call: numbers for call, numbers in calls.items() if call not in allowed})

    code = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, arch), _refuse(errno.ENOSYS), (_LOAD, 0, 0, _NUMBER)]
    # Other ways to number calls (32-bit programs, x32) would lead round the filter.
    code += [(_AT_LEAST, 0, 1, _X32), _refuse(errno.ENOSYS)]
    for numbers in refused.values():
        number = numbers[column]
        if number is not None:
            code += [(_EQUAL, 0, 1, number), _refuse(errno.EPERM)]
    if "SYS_ADMIN" not in given:
        # The flags of clone3 lie in memory, where a filter cannot look: programs fall back to clone.
        code += [(_EQUAL, 0, 1, _CLONE3[column]), _refuse(errno.ENOSYS)]
        code += [(_EQUAL, 0, 4, _CLONE[column]), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_ANY_BIT, 0, 1, _NAMESPACES)]
        code += [_refuse(errno.EPERM), (_RETURN, 0, 0, _ALLOW)]
    wanted = len(_PERSONALITIES)
    code += [(_EQUAL, 0, wanted + 2, _PERSONALITY[column]), (_LOAD, 0, 0, _FIRST_ARGUMENT)]
    code += [(_EQUAL, wanted - at, 0, value) for at, value in enumerate(_PERSONALITIES)]
    code += [_refuse(errno.EPERM), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _refuse(code: int) -> tuple[int, int, int, int]:
    return _RETURN, 0, 0, _ERRNO | code


def install(capabilities: Iterable[str]) -> None:
    """From here on the calling process, and all it starts, is held to the filter.

    The caller may mount, or has given up new privileges.
    """
    code = program(os.uname().machine, capabilities)
    if code is None:
        return
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    syscalls.prctl_pointer(syscalls.PR_SET_SECCOMP, syscalls.SECCOMP_MODE_FILTER, header)
