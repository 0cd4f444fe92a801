"""What a hostile program tries in a container; run there as `python3 attack.py PID PATH…`, prints what it could do as JSON.

It uses the standard library alone: the container has nothing else.  PID is the kubelet's
outside, PATH are files of the machine that it must not see.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import stat
import sys
from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
CALLS = {"x86_64": 0, "aarch64": 1}
NUMBERS = {
    "mount": (165, 40), "umount2": (166, 39), "unshare": (272, 97), "setns": (308, 268), "pivot_root": (155, 41),
    "bpf": (321, 280), "keyctl": (250, 219), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "init_module": (175, 105), "kexec_load": (246, 104), "reboot": (169, 142), "swapon": (167, 224),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "acct": (163, 89),
    "settimeofday": (164, 170), "syslog": (103, 116), "open_by_handle_at": (304, 265), "sethostname": (170, 161),
}  # fmt: skip
NEW = {"mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "user": 0x10000000, "pid": 0x20000000}


def call(name: str, *arguments: int | bytes | None) -> str:
    number = NUMBERS[name][CALLS[os.uname().machine]]
    given = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    if LIBC.syscall(ctypes.c_long(number), *given) >= 0:
        return "done"
    return errno.errorcode[ctypes.get_errno()]


def attempt(action: Callable[[], object]) -> str:
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


def write(path: str) -> str:
    def action() -> None:
        with open(path, "a") as file:
            file.write("x")

    return attempt(action)


def read(path: str) -> str:
    def action() -> None:
        with open(path, "rb") as file:
            if not file.read(64):
                raise OSError(errno.ENODATA, "empty")

    return attempt(action)


def signal_to(pid: int) -> str:
    return attempt(lambda: os.kill(pid, 0))


def opened(path: str) -> bool:
    return attempt(lambda: os.close(os.open(path, os.O_RDONLY))) == "done"


def device() -> None:
    """The machine's first disk, by a node of our own."""
    with open("/proc/partitions") as file:
        major, minor = (int(word) for word in file.read().split("\n")[2].split()[:2])
    with contextlib.suppress(FileExistsError):
        os.mknod("/tmp/disk", 0o600 | stat.S_IFBLK, os.makedev(major, minor))
    os.close(os.open("/tmp/disk", os.O_RDONLY))


def roots() -> list[str]:
    """What is at the top after the classic way out of a chroot."""
    child, parent = os.pipe()
    if os.fork() == 0:
        with contextlib.suppress(OSError):
            os.makedirs("/tmp/jail", exist_ok=True)
            above = os.open("/", os.O_RDONLY)
            os.chroot("/tmp/jail")
            os.fchdir(above)
            for _ in range(20):
                os.chdir("..")
            os.chroot(".")
        found = []
        with contextlib.suppress(OSError):
            found = sorted(os.listdir("/"))
        os.write(parent, json.dumps(found).encode())
        os._exit(0)
    os.wait()
    return list(json.loads(os.read(child, 65536)))


def tried(kubelet: int, paths: list[str]) -> dict[str, object]:
    def flags(*names: str) -> int:
        return sum(NEW[name] for name in names)

    with open("/proc/self/status") as file:
        status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
    descriptors = sorted(os.listdir("/proc/self/fd"), key=int)[:-1]
    calls = {
        "mount": call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
        "remount": call("mount", b"none", b"/usr", None, 32 | 4096, None),
        "umount": call("umount2", b"/proc/sys", 2),
        "unshare mount": call("unshare", flags("mount")),
        "unshare user": call("unshare", flags("user", "mount")),
        "unshare pid": call("unshare", flags("pid")),
        **{name: call(name, 0, 0, 0, 0, 0) for name in NUMBERS if name not in ("mount", "umount2", "unshare")},
    }
    return {
        "calls": calls,
        "seen": [path for path in paths if opened(path)],
        "kill": signal_to(kubelet),
        "reads": {path: read(path) for path in ("/etc/shadow", "/proc/kcore", "/proc/keys", "/proc/timer_list")},
        "writes": {
            path: write(path)
            for path in ("/usr/x", "/etc/x", "/usr/lib/os-release", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger",
                         "/sys/kernel/uevent_helper", "/sys/fs/cgroup/x", "/sys/fs/cgroup/cgroup.procs")
        },
        "own": {path: write(path) for path in ("/tmp/x", "/var/tmp/x", "/dev/shm/x", "/dev/null", "/run/x")},
        "device": attempt(device),
        "roots": roots(),
        "descriptors": descriptors,
        "processes": len([name for name in os.listdir("/proc") if name.isdigit()]),
        "capabilities": {name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")},
        "seccomp": status["Seccomp"].strip(),
        "privileges": status["NoNewPrivs"].strip(),
        "environment": sorted(dict(os.environ)),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(tried(int(sys.argv[1]), sys.argv[2:])), flush=True)
