"""Host ports in use on each node."""

from __future__ import annotations

from collections import Counter

Port = tuple[str, str, int]  # protocol, host address, port

ANY = "0.0.0.0"


class PortTable:
    """Counts of (slot, address) by protocol and port. Two ports clash when their addresses agree or one is 0.0.0.0."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, int], Counter[tuple[int, str]]] = {}

    def add(self, slot: int, ports: tuple[Port, ...], sign: int) -> None:
        for protocol, address, port in ports:
            users = self._used.setdefault((protocol, port), Counter())
            users[slot, address] += sign
            if not users[slot, address]:
                del users[slot, address]
            if not users:
                del self._used[protocol, port]

    def clashes(self, ports: tuple[Port, ...]) -> set[int]:
        """Slots on which one of `ports` is taken."""
        return {
            slot
            for protocol, address, port in ports
            for slot, other in self._used.get((protocol, port), ())
            if address == other or ANY in (address, other)
        }
