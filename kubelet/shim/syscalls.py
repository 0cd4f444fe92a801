"""The few Linux calls that Python 3.11 has no function for."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE = 4096, 16384, 1 << 18, 1 << 19
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 36, 38, 47
PR_CAP_AMBIENT_CLEAR_ALL, SECCOMP_MODE_FILTER = 4, 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NODEV, MOUNT_ATTR_IDMAP = 1, 4, 0x100000

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), f"unshare({flags:#x})")


def setns(fd: int, flags: int) -> None:
    _check(_libc.setns(fd, flags), f"setns({flags:#x})")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), options.encode() or None
    )
    _check(result, f"mount {source} on {target}")


def unmount(target: str, flags: int) -> None:
    _check(_libc.umount2(target.encode(), flags), f"umount {target}")


def prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl({option})")


def prctl_pointer(option: int, value: int, memory: bytes) -> None:
    """A prctl whose third argument points to `memory`."""
    _check(_libc.prctl(option, ctypes.c_ulong(value), memory, 0, 0), f"prctl({option})")


def call(what: str, number: int, *arguments: int | bytes) -> int:
    """A system call without a function in libc; its result.  `what` stands in the error."""
    given = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    result = int(_libc.syscall(ctypes.c_long(number), *given))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def pivot_root(new: str, old: str) -> None:
    call(f"pivot_root {new}", {"x86_64": 155, "aarch64": 41}[os.uname().machine], new.encode(), old.encode())


def keep_capabilities(mask: int) -> None:
    """This process keeps no more than these of its capabilities (bits by the kernel's numbers), and passes none on."""
    header, data = struct.pack("=Ii", 0x20080522, 0), ctypes.create_string_buffer(24)
    _check(_libc.capget(header, data), "capget")
    _, low, _, _, high, _ = struct.unpack("=6I", data.raw)
    low, high = low & mask & 0xFFFFFFFF, high & mask >> 32
    _check(_libc.capset(header, struct.pack("=6I", low, low, 0, high, high, 0)), "capset")


def raise_capabilities() -> None:
    """All that this process may use takes hold: a change of file ids took some away."""
    header, data = struct.pack("=Ii", 0x20080522, 0), ctypes.create_string_buffer(24)
    _check(_libc.capget(header, data), "capget")
    _, low, inherited, _, high, also = struct.unpack("=6I", data.raw)
    _check(_libc.capset(header, struct.pack("=6I", low, low, inherited, high, high, also)), "capset")


def file_ids(uid: int, gid: int) -> None:
    """Whose the files are that this process makes."""
    _libc.setfsgid(ctypes.c_uint(gid))  # neither tells whether it succeeded
    _libc.setfsuid(ctypes.c_uint(uid))


def clone_mounts(path: str, attributes: int, users: int = -1) -> int:
    """A descriptor of a copy of what is mounted at and below `path`, with attributes (MOUNT_ATTR_…); Linux 5.12.

    It is mounted nowhere until `attach_mounts`. `users`: a user namespace (descriptor), in which each file belongs to the id
    that it has on the disk.
    """
    at_fdcwd, at_empty_path, at_recursive, clone, close = -100, 0x1000, 0x8000, 1, os.O_CLOEXEC
    tree = call(f"open_tree {path}", 428, at_fdcwd, path.encode(), clone | close | at_recursive)
    try:
        if users >= 0:
            attributes |= MOUNT_ATTR_IDMAP
        if attributes:
            call(
                f"mount_setattr {path}",
                442,
                tree,
                b"",
                at_empty_path | at_recursive,
                struct.pack("=4Q", attributes, 0, 0, max(users, 0)),
                32,
            )
    except BaseException:
        os.close(tree)
        raise
    return tree


def attach_mounts(tree: int, target: str) -> None:
    """Mounts what `clone_mounts` gave at `target`; the descriptor is closed."""
    at_fdcwd, from_empty_path = -100, 4
    try:
        call(f"mount on {target}", 429, tree, b"", at_fdcwd, target.encode(), from_empty_path)
    finally:
        os.close(tree)


def bind(source: str, target: str, attributes: int = 0, users: int = -1) -> None:
    """What is mounted at and below `source` appears at `target`, too, with attributes (MOUNT_ATTR_…) and `users` as above."""
    attach_mounts(clone_mounts(source, attributes, users), target)


# -- addresses of a network namespace, by the classic ioctls: no netlink library in a small process -------------------

_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCADDRT = 0x8914, 0x8916, 0x891C, 0x890B
_IFF_UP, _RTF_UP, _RTF_GATEWAY = 1, 1, 2


def _sockaddr(address: str) -> bytes:
    return struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))


def interface_up(name: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("=16sH22x", name.encode(), _IFF_UP))


def interface_address(name: str, address: str, netmask: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for request, value in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, netmask)):
            fcntl.ioctl(sock, request, struct.pack("=16s16s8x", name.encode(), _sockaddr(value)))


def default_route(gateway: str) -> None:
    # struct rtentry of 64-bit Linux: pad, dst, gateway, genmask, flags, then fields that stay zero.
    entry = struct.pack(
        "=8s16s16s16sH62x", b"", _sockaddr("0.0.0.0"), _sockaddr(gateway), _sockaddr("0.0.0.0"), _RTF_UP | _RTF_GATEWAY
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCADDRT, entry)
