"""Makes the service range local to this machine, so that no packet to a service address ever leaves it."""

from __future__ import annotations

import logging

log = logging.getLogger("kubeproxy.routes")


def make_local(cidr: str) -> None:
    """Add `local CIDR dev lo`: each address of the range can be listened on, none is sent to a gateway. Needs root."""
    from pyroute2 import IPRoute

    with IPRoute() as routes:
        loopback = routes.link_lookup(ifname="lo")[0]
        routes.route("replace", dst=cidr, oif=loopback, type="local", table=255, scope=254)


def remove(cidr: str) -> None:
    """Undo `make_local`; nothing happens when it was not done."""
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    with IPRoute() as routes:
        try:
            routes.route("del", dst=cidr, oif=routes.link_lookup(ifname="lo")[0], type="local", table=255, scope=254)
        except NetlinkError as error:
            log.debug("no route for %s: %s", cidr, error)
