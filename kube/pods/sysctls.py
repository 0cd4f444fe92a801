"""Kernel parameters that a pod asks for (`securityContext.sysctls`): their names, and which of them are a pod's own."""

from __future__ import annotations

import re

MAX_LENGTH = 253
_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
PATTERN = rf"({_SEGMENT}[\./])*{_SEGMENT}"

# Those that change nothing outside the pod's namespaces, and cannot take what limits do not count.
SAFE = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)


def is_name(text: str) -> bool:
    return len(text) <= MAX_LENGTH and re.fullmatch(PATTERN, text) is not None


def dotted(name: str) -> str:
    """The name with dots between its parts: net/ipv4/conf/eth0.1/forwarding -> net.ipv4.conf.eth0/1.forwarding."""
    separator = re.search(r"[./]", name)
    return name.translate(str.maketrans("./", "/.")) if separator and separator[0] == "/" else name


def file_of(name: str) -> str:
    """Where it is below /proc/sys."""
    return dotted(name).translate(str.maketrans("./", "/."))


def namespace_of(name: str) -> str:
    """The namespace that a safe one belongs to: net or ipc."""
    return "net" if dotted(name).startswith("net.") else "ipc"
