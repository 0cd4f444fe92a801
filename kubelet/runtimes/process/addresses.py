"""Addresses of pods out of the node's part of the pod CIDR."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network


class AddressPool:
    """Hands out addresses in a ring, so that one just released is not used again at once.

    The network's own address and the first one (the bridge's) are kept back, and so is the broadcast address.
    """

    def __init__(self, cidr: str) -> None:
        self.network = IPv4Network(cidr)
        if self.network.num_addresses < 8:
            raise ValueError(f"pod CIDR {cidr} is too small: at least a /29 is needed")
        self.gateway = str(self.network[1])
        self._used: dict[str, str] = {}
        self._last = 1

    def claim(self, address: str, owner: str) -> None:
        """Notes an address that a running pod already has; the next to be handed out comes after it."""
        self._used[address] = owner
        self._last = max(self._last, int(IPv4Address(address)) - int(self.network.network_address))

    def take(self, owner: str) -> str:
        """A free address; OSError when there is none."""
        size = self.network.num_addresses
        for step in range(1, size):
            index = (self._last + step) % size
            address = str(self.network[index])
            if 1 < index < size - 1 and address not in self._used:
                self._last = index
                self._used[address] = owner
                return address
        raise OSError(f"no free pod address in {self.network}: {len(self._used)} are in use")

    def release(self, owner: str) -> None:
        self._used = {address: who for address, who in self._used.items() if who != owner}
