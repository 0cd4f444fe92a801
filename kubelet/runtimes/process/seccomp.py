"""Profiles of system calls: the default one of container runtimes, and those that lie below the kubelet's folder `seccomp`.

A profile is JSON in the form that container runtimes read (OCI's `linux.seccomp`, with Docker's `includes`, `excludes` and
`archMap`).  It is compiled to a program of `linux/filter.h`, which the shim installs.
"""

from __future__ import annotations

import errno
import json
import os
import re
import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from kubelet.runtimes.process.callnumbers import NUMBERS

LARGEST = 1 << 20  # bytes of a profile
LONGEST = 4096  # instructions that the kernel takes

_MACHINES = {"x86_64": (0, 0xC000003E, "SCMP_ARCH_X86_64"), "aarch64": (1, 0xC00000B7, "SCMP_ARCH_AARCH64")}
"""Machine: (column of the numbers, AUDIT_ARCH, as profiles call it)."""
_ARCHITECTURES = {"x86_64": ("amd64", "x86_64"), "aarch64": ("arm64", "aarch64")}
_X32 = 0x40000000

_LOAD, _AND, _JUMP, _EQUAL, _ABOVE, _AT_LEAST, _RETURN = 0x20, 0x54, 0x05, 0x15, 0x25, 0x35, 0x06
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_ACTIONS = {
    "SCMP_ACT_ALLOW": _ALLOW, "SCMP_ACT_ERRNO": _ERRNO, "SCMP_ACT_KILL": 0, "SCMP_ACT_KILL_THREAD": 0,
    "SCMP_ACT_KILL_PROCESS": 0x80000000, "SCMP_ACT_LOG": 0x7FFC0000, "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_TRAP": 0x00030000,
}  # fmt: skip
_WITH_NUMBER = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
_GROUP = 200  # calls with one common end: a jump leads over 255 instructions at most

Instruction = tuple[int, int, int, int]

# -- the default profile: what it refuses is what container runtimes refuse by default ----------------------------------

_NEVER = """
    add_key keyctl request_key kexec_load kexec_file_load swapon swapoff pivot_root move_pages migrate_pages userfaultfd
    nfsservctl io_uring_setup io_uring_enter io_uring_register create_module get_kernel_syms query_module uselib ustat sysfs
    _sysctl
"""
_WITH = {
    "SYS_ADMIN": (
        "bpf fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree "
        "perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount2 unshare"
    ),
    "BPF": "bpf",
    "DAC_READ_SEARCH": "open_by_handle_at",
    "PERFMON": "perf_event_open",
    "SYSLOG": "syslog",
    "SYS_BOOT": "reboot",
    "SYS_CHROOT": "chroot",
    "SYS_MODULE": "init_module finit_module delete_module",
    "SYS_NICE": "get_mempolicy set_mempolicy mbind set_mempolicy_home_node",
    "SYS_PACCT": "acct",
    "SYS_PTRACE": "kcmp pidfd_getfd",
    "SYS_RAWIO": "iopl ioperm",
    "SYS_TIME": "settimeofday clock_settime clock_adjtime",
    "SYS_TTY_CONFIG": "vhangup",
}
"""Refused but to who has one of the capabilities that name the call."""
_NAMESPACES = 0x7E020000  # every CLONE_NEW… but that of time, which shares its bit with a signal number
_PERSONALITIES = (0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)


def default(capabilities: Iterable[str]) -> dict[str, Any]:
    """The profile of containers with these capabilities."""
    given = set(capabilities)
    allowed = {call for capability in given for call in _WITH.get(capability, "").split()}
    refused = [*_NEVER.split(), *sorted({call for calls in _WITH.values() for call in calls.split()} - allowed)]
    rules: list[dict[str, Any]] = [{"names": refused, "action": "SCMP_ACT_ERRNO"}]
    if "SYS_ADMIN" not in given:
        # The flags of clone3 lie in memory, where a filter cannot look: programs fall back to clone.
        rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS})
        no_namespace = [{"index": 0, "value": _NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]
        rules.append({"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": no_namespace})
        rules.append({"names": ["clone"], "action": "SCMP_ACT_ERRNO"})
    # Conditions on one argument: any of them will do.
    known = [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"} for value in _PERSONALITIES]
    rules.append({"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": known})
    rules.append({"names": ["personality"], "action": "SCMP_ACT_ERRNO"})
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}


@lru_cache(maxsize=64)
def default_program(machine: str, capabilities: frozenset[str]) -> bytes:
    """As `compiled`; nothing where the machine's numbers are not known."""
    return compiled(default(capabilities), machine, capabilities) if machine in _MACHINES else b""


# -- profiles of the machine --------------------------------------------------------------------------------------------


def program_of(path: str, machine: str, capabilities: Collection[str]) -> bytes:
    """The program of a profile in a file.  Raises ValueError in words for the container's status."""
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(f"seccomp profile {path} cannot be read: {os.strerror(error.errno or 0)}") from error
    if len(data) > LARGEST:
        raise ValueError(f"seccomp profile {path} is larger than {LARGEST >> 20} MiB")
    try:
        profile = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"seccomp profile {path} is no JSON: {error}") from error
    try:
        return compiled(profile, machine, capabilities)
    except ValueError as error:
        raise ValueError(f"seccomp profile {path}: {error}") from error


def compiled(profile: Any, machine: str, capabilities: Collection[str]) -> bytes:
    """An array of `struct sock_filter`.  Raises ValueError for a profile that makes no sense.

    Of rules about one call those with conditions come first, each in the order of the profile; unknown calls are passed over.
    """
    if machine not in _MACHINES:
        raise ValueError(f"the numbers of system calls on {machine} are not known")
    column, audited, _ = _MACHINES[machine]
    _check_form(profile, machine)
    otherwise = _action(profile, "defaultAction", "defaultErrnoRet")
    plain: dict[int, int] = {}
    conditional: dict[int, list[tuple[list[dict[str, Any]], int]]] = {}
    for rule in _applying(profile, machine, capabilities):
        action = _action(rule, "action", "errnoRet")
        alternatives = list(_alternatives(_list(rule, "args")))
        for name in _names(rule):
            number = NUMBERS.get(name, (None, None))[column]
            if number is None:
                continue
            if alternatives:
                conditional.setdefault(number, []).extend((conditions, action) for conditions in alternatives)
            else:
                plain.setdefault(number, action)
    code: list[Instruction] = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, audited), _refuse(errno.ENOSYS)]
    # Other ways to number calls (32-bit programs, x32) would lead round the filter.
    code += [(_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, _X32), _refuse(errno.ENOSYS)]
    for number, rules in conditional.items():
        code += _about(number, rules)
    for action in dict.fromkeys(plain.values()):
        numbers = [number for number, its in plain.items() if its == action and action != otherwise]
        code += _each(numbers, action)
    code.append((_RETURN, 0, 0, otherwise))
    if len(code) > LONGEST:
        raise ValueError(f"it has {len(code)} instructions; the kernel takes {LONGEST}")
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _check_form(profile: Any, machine: str) -> None:
    if not isinstance(profile, dict):
        raise ValueError("it is no object")
    if profile.get("listenerPath"):
        raise ValueError("listenerPath is not supported")
    named = [*_list(profile, "architectures"), *(one.get("architecture") for one in _objects(profile, "archMap"))]
    if named and _MACHINES[machine][2] not in named:
        raise ValueError(f"architectures do not have {_MACHINES[machine][2]}, which this machine is")


def _list(obj: dict[str, Any], key: str) -> list[Any]:
    found = obj.get(key)
    if found is not None and not isinstance(found, list):
        raise ValueError(f"{key} is no list")
    return found or []


def _objects(obj: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = _list(obj, key)
    if not all(isinstance(one, dict) for one in found):
        raise ValueError(f"{key} has something that is no object")
    return found


def _names(rule: dict[str, Any]) -> list[str]:
    names = _list(rule, "names") or [rule.get("name")]
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError("a rule of syscalls has no names")
    return names


def _number(obj: dict[str, Any], key: str, most: int) -> int:
    value = obj.get(key) or 0
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{key} {json.dumps(value)} is no number from 0 to {most}")
    return value


def _action(obj: dict[str, Any], key: str, with_number: str) -> int:
    name = obj.get(key)
    if not isinstance(name, str) or name not in _ACTIONS:
        raise ValueError(f"{key} {json.dumps(name)} is none of {', '.join(sorted(_ACTIONS))}")
    if name not in _WITH_NUMBER:
        return _ACTIONS[name]
    return _ACTIONS[name] | (errno.EPERM if obj.get(with_number) is None else _number(obj, with_number, 4095))


def _applying(profile: dict[str, Any], machine: str, capabilities: Collection[str]) -> Iterator[dict[str, Any]]:
    """The rules that are for this machine and container."""
    for rule in _objects(profile, "syscalls"):
        only, never = (rule.get(key) or {} for key in ("includes", "excludes"))
        if not isinstance(only, dict) or not isinstance(never, dict):
            raise ValueError("includes and excludes are objects")
        arches = _ARCHITECTURES[machine]
        if (
            all(_has(capabilities, name) for name in _list(only, "caps"))
            and not any(_has(capabilities, name) for name in _list(never, "caps"))
            and (not _list(only, "arches") or any(name in arches for name in only["arches"]))
            and not any(name in arches for name in _list(never, "arches"))
            and _kernel(os.uname().release) >= _kernel(only.get("minKernel"))
            and (not never.get("minKernel") or _kernel(os.uname().release) < _kernel(never["minKernel"]))
        ):
            yield rule


def _has(capabilities: Collection[str], name: Any) -> bool:
    return str(name).removeprefix("CAP_") in capabilities


def _kernel(version: Any) -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)", str(version or "0.0"))
    if found is None:
        raise ValueError(f"minKernel {json.dumps(version)} is no version")
    return tuple(map(int, found.groups()))


def _alternatives(args: list[Any]) -> Iterator[list[dict[str, Any]]]:
    """Conditions on different arguments hold together; several on one are alternatives, as in container runtimes."""
    if not all(isinstance(one, dict) for one in args):
        raise ValueError("args has something that is no object")
    indexes = [_number(one, "index", 5) for one in args]
    if len(set(indexes)) == len(indexes):
        yield from [args] if args else []
    else:
        yield from ([one] for one in args)


# -- instructions -------------------------------------------------------------------------------------------------------


def _refuse(code: int) -> Instruction:
    return _RETURN, 0, 0, _ERRNO | code


def _each(numbers: Sequence[int], action: int) -> list[Instruction]:
    """These calls have the action."""
    code: list[Instruction] = []
    for at in range(0, len(numbers), _GROUP):
        group = numbers[at : at + _GROUP]
        code += [(_EQUAL, len(group) - index, 0, number) for index, number in enumerate(group)]
        code += [(_JUMP, 0, 0, 1), (_RETURN, 0, 0, action)]
    return code


def _about(number: int, rules: list[tuple[list[dict[str, Any]], int]]) -> list[Instruction]:
    """What is done about one call by the first rule whose conditions hold; the others come after it."""
    body: list[Instruction] = []
    for conditions, action in rules:
        tests = [test for condition in conditions for test in _test(condition)]
        # A test that fails (None) leads to behind the rule.
        size = len(tests) + 1
        for at, (code, yes, no, value) in enumerate(tests):
            after = size - at - 1
            body.append((code, after if yes is None else yes, after if no is None else no, value))
        body.append((_RETURN, 0, 0, action))
    body.append((_LOAD, 0, 0, _NUMBER))
    return [(_EQUAL, 1, 0, number), (_JUMP, 0, 0, len(body)), *body]


Test = tuple[int, int | None, int | None, int]


def _test(condition: dict[str, Any]) -> list[Test]:
    """Instructions that go on behind them where the condition holds, and to None elsewhere: 64 bits in two halves."""
    value, second = (_number(condition, key, 2**64 - 1) for key in ("value", "valueTwo"))
    offset = _ARGUMENTS + 8 * _number(condition, "index", 5)
    low, high, load_low, load_high = value & 0xFFFFFFFF, value >> 32, (_LOAD, 0, 0, offset), (_LOAD, 0, 0, offset + 4)
    match condition.get("op"):
        case "SCMP_CMP_EQ":
            return [load_high, (_EQUAL, 0, None, high), load_low, (_EQUAL, 0, None, low)]
        case "SCMP_CMP_NE":
            return [load_high, (_EQUAL, 0, 2, high), load_low, (_EQUAL, None, 0, low)]
        case "SCMP_CMP_MASKED_EQ":
            halves = ((load_high, high, second >> 32), (load_low, low, second & 0xFFFFFFFF))
            return [
                step
                for load, mask, wanted in halves
                for step in (load, (_AND, 0, 0, mask), (_EQUAL, 0, None, wanted & mask))
            ]
        case "SCMP_CMP_GT" | "SCMP_CMP_GE" as op:
            code = _ABOVE if op.endswith("GT") else _AT_LEAST
            return [load_high, (_ABOVE, 3, 0, high), (_EQUAL, 0, None, high), load_low, (code, 0, None, low)]
        case "SCMP_CMP_LT" | "SCMP_CMP_LE" as op:
            code = _AT_LEAST if op.endswith("LT") else _ABOVE
            return [load_high, (_ABOVE, None, 0, high), (_EQUAL, 0, 2, high), load_low, (code, None, 0, low)]
        case op:
            raise ValueError(f"op {json.dumps(op)} is no comparison")
