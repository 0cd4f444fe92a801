"""Makes the service range local to this machine, so that no packet to a service address ever leaves it."""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import socket
import struct

log = logging.getLogger("kubeproxy.routes")

# From <linux/rtnetlink.h> and <linux/netlink.h>.
_NEWROUTE, _DELROUTE, _ERROR = 24, 25, 2
_REQUEST, _ACK, _REPLACE, _CREATE = 0x1, 0x4, 0x100, 0x400
_DST, _OIF = 1, 4
_TABLE_LOCAL, _PROTOCOL_BOOT, _SCOPE_HOST, _TYPE_LOCAL = 255, 3, 254, 2


def make_local(cidr: str) -> None:
    """Add `local CIDR dev lo`: each address of the range can be listened on, none is sent to a gateway. Needs root."""
    _ask(_NEWROUTE, _REQUEST | _ACK | _REPLACE | _CREATE, cidr)


def remove(cidr: str) -> None:
    """Undo `make_local`; nothing happens when it was not done."""
    try:
        _ask(_DELROUTE, _REQUEST | _ACK, cidr)
    except ProcessLookupError as error:  # ESRCH: there is no such route
        log.debug("no route for %s: %s", cidr, error)


def _ask(kind: int, flags: int, cidr: str) -> None:
    """Send one route message to the kernel; raises OSError when it refuses.

    By hand: the libraries for this cost a process 10 MiB for as long as it lives.
    """
    network = ipaddress.IPv4Network(cidr)
    route = struct.pack(
        "=8BI", socket.AF_INET, network.prefixlen, 0, 0, _TABLE_LOCAL, _PROTOCOL_BOOT, _SCOPE_HOST, _TYPE_LOCAL, 0
    )
    attributes = struct.pack("=HH4sHHi", 8, _DST, network.network_address.packed, 8, _OIF, socket.if_nametoindex("lo"))
    message = struct.pack("=IHHII", 16 + len(route + attributes), kind, flags, 1, 0) + route + attributes
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(5)
        kernel.sendto(message, (0, 0))
        answer = kernel.recv(4096)
    _, answered, _, _, _, error = struct.unpack_from("=IHHIIi", answer)
    if answered == _ERROR and error:
        raise OSError(-error, f"route {cidr}: {errno.errorcode.get(-error, '')} {os.strerror(-error)}")
