"""Profiles of system calls: what their programs decide, as the kernel would run them."""

from __future__ import annotations

import errno
import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubelet.capabilities import DEFAULT
from kubelet.runtimes.process import seccomp
from kubelet.runtimes.process.callnumbers import NUMBERS

MACHINE, AUDITED = "x86_64", 0xC000003E
ALLOW, KILL, LOG = 0x7FFF0000, 0x80000000, 0x7FFC0000


def run(program: bytes, number: int, arguments: tuple[int, ...] = (), audited: int = AUDITED) -> int:
    """What the program returns for a call: a machine for classic BPF, without what the compiler does not use."""
    code = list(struct.iter_unpack("=HBBI", program))
    data = struct.pack("=iIQ6Q", number, audited, 0, *(*arguments, *(0,) * 6)[:6])
    at = value = 0
    while True:
        operation, yes, no, constant = code[at]
        at += 1
        match operation:
            case 0x20:
                (value,) = struct.unpack_from("=I", data, constant)
            case 0x54:
                value &= constant
            case 0x05:
                at += constant
            case 0x15:
                at += yes if value == constant else no
            case 0x25:
                at += yes if value > constant else no
            case 0x35:
                at += yes if value >= constant else no
            case 0x06:
                return int(constant)
            case _:
                raise AssertionError(f"unknown operation {operation:#x}")


def decided(profile: dict[str, Any], call: str, *arguments: int, capabilities: frozenset[str] = DEFAULT) -> int:
    number = NUMBERS[call][0]
    assert number is not None
    return run(seccomp.compiled(profile, MACHINE, capabilities), number, arguments)


def refused(code: int = errno.EPERM) -> int:
    return 0x50000 | code


@pytest.mark.parametrize(
    ("call", "arguments", "answer"),
    [
        ("read", (), ALLOW),
        ("keyctl", (), refused()),
        ("mount", (), refused()),
        ("chroot", (), ALLOW),
        ("reboot", (), refused()),
        ("clone", (0x11,), ALLOW),
        ("clone", (0x10000000,), refused()),
        ("clone3", (), refused(errno.ENOSYS)),
        ("personality", (0x20008,), ALLOW),
        ("personality", (0xFFFFFFFF,), ALLOW),
        ("personality", (0x40000,), refused()),
    ],
)
def test_the_default_profile(call: str, arguments: tuple[int, ...], answer: int) -> None:
    assert decided(seccomp.default(DEFAULT), call, *arguments) == answer


def test_a_capability_brings_its_calls() -> None:
    given_more = DEFAULT | {"SYS_ADMIN"}
    for call, arguments in (("mount", ()), ("clone", (0x10000000,)), ("clone3", ())):
        assert decided(seccomp.default(given_more), call, *arguments) == ALLOW
    assert decided(seccomp.default(given_more), "reboot") == refused()


def test_other_ways_to_number_calls_do_not_exist() -> None:
    program = seccomp.compiled({"defaultAction": "SCMP_ACT_ALLOW"}, MACHINE, ())
    assert run(program, 0, audited=0x40000003) == refused(errno.ENOSYS)
    assert run(program, 0x40000000) == refused(errno.ENOSYS)


OPERATIONS = {
    "EQ": lambda value, one, two: value == one,
    "NE": lambda value, one, two: value != one,
    "LT": lambda value, one, two: value < one,
    "LE": lambda value, one, two: value <= one,
    "GT": lambda value, one, two: value > one,
    "GE": lambda value, one, two: value >= one,
    "MASKED_EQ": lambda value, one, two: value & one == two & one,
}
WORDS = st.sampled_from([0, 1, 2, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63, 2**64 - 1])
CONDITIONS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(sorted(OPERATIONS)), WORDS, WORDS), max_size=4)


@given(CONDITIONS, st.lists(WORDS, min_size=6, max_size=6))
def test_conditions_on_arguments(conditions: list[tuple[int, str, int, int]], arguments: list[int]) -> None:
    """All of them hold together, but several on one argument are alternatives."""
    args = [
        {"index": index, "op": f"SCMP_CMP_{op}", "value": one, "valueTwo": two} for index, op, one, two in conditions
    ]
    rule = {"names": ["read", "write"], "action": "SCMP_ACT_KILL_PROCESS", "args": args}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule, {"names": ["close"], "action": "SCMP_ACT_LOG"}]}
    hold = [OPERATIONS[op](arguments[index], one, two) for index, op, one, two in conditions]
    several = len({index for index, *_ in conditions}) < len(conditions)
    wanted = KILL if (any(hold) if several else all(hold)) else ALLOW
    assert decided(profile, "read", *arguments) == decided(profile, "write", *arguments) == wanted
    assert decided(profile, "close", *arguments) == LOG
    assert decided(profile, "open", *arguments) == ALLOW


def test_a_long_list_of_calls_and_numbers_of_errors() -> None:
    known = sorted(name for name, (number, _) in NUMBERS.items() if number is not None)
    rules = [
        {"names": [*known[:300], "no_such_call"], "action": "SCMP_ACT_ALLOW"},
        {"name": known[300], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        {"names": [known[301]], "action": "SCMP_ACT_TRACE", "errnoRet": 7},
    ]
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 99, "syscalls": rules}
    answers = [decided(profile, name) for name in known]
    assert answers[:302] == [ALLOW] * 300 + [refused(38), 0x7FF00007]
    assert set(answers[302:]) == {refused(99)}


@pytest.mark.parametrize(
    ("condition", "applies"),
    [
        ({"includes": {"caps": ["CAP_CHOWN"]}}, True),
        ({"includes": {"caps": ["CAP_SYS_ADMIN"]}}, False),
        ({"excludes": {"caps": ["CAP_CHOWN"]}}, False),
        ({"includes": {"arches": ["amd64", "x32"]}}, True),
        ({"includes": {"arches": ["s390x"]}}, False),
        ({"excludes": {"arches": ["amd64"]}}, False),
        ({"includes": {"minKernel": "3.2"}}, True),
        ({"includes": {"minKernel": "999.0"}}, False),
        ({"includes": {}, "excludes": {"minKernel": "999.0"}}, True),
    ],
)
def test_rules_are_for_some_containers(condition: dict[str, Any], applies: bool) -> None:
    rule = {"names": ["read"], "action": "SCMP_ACT_KILL_PROCESS", **condition}
    assert (decided({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}, "read") == KILL) is applies


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ([], "it is no object"),
        ({}, "defaultAction null is none of SCMP_ACT_ALLOW, "),
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, 'defaultAction "SCMP_ACT_NOTIFY" is none of'),
        ({"defaultAction": ["x"]}, "defaultAction .* is none of"),
        ({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 5000}, "defaultErrnoRet 5000 is no number from 0 to 4095"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_S390X"]}, "architectures do not have SCMP_ARCH_"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x"}, "listenerPath is not supported"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {}}, "syscalls .*no list"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [1]}, "syscalls has something that is no object"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_LOG"}]}, "has no names"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"]}]}, "action null is none of"),
        (
            {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG", "args": [{}]}]},
            "op null is no comparison",
        ),
        (
            {
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG", "includes": {"minKernel": "new"}}],
            },
            'minKernel "new" is no version',
        ),
    ],
)  # fmt: skip
def test_a_broken_profile_is_told(profile: Any, words: str, tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text(profile if isinstance(profile, str) else json.dumps(profile))
    with pytest.raises(ValueError, match=f"^seccomp profile {file}.*{words}"):
        seccomp.program_of(str(file), os.uname().machine, DEFAULT)


def test_a_profile_that_is_not_there_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: No such file or directory"):
        seccomp.program_of(str(tmp_path / "none"), MACHINE, DEFAULT)
    (tmp_path / "large").write_text(" " * (seccomp.LARGEST + 1))
    with pytest.raises(ValueError, match="is larger than 1 MiB"):
        seccomp.program_of(str(tmp_path / "large"), MACHINE, DEFAULT)
    rule = {"names": ["read"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": 1}]}
    with pytest.raises(ValueError, match="instructions; the kernel takes 4096"):
        seccomp.compiled({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] * 1000}, MACHINE, DEFAULT)
