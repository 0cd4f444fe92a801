"""The lines to the kubelets, kept from one round to the next: a TLS handshake costs more than all that is said after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set

from apiserver.backend import Target, head
from client.wire import Answer, Connection

KEPT = 1000  # connections that are kept between rounds: each holds 64 KiB, and more where answers are long


class Lines:
    """A kubelet has as many lines as questions at once: one, unless it is the server of many nodes."""

    def __init__(self) -> None:
        self._idle: defaultdict[Target, list[Connection]] = defaultdict(list)
        self._count = 0

    async def get(self, target: Target, path: str) -> Answer:
        """Status and body of a page. Raises one of `client.wire.FAILURES`."""
        request = head("GET", path, target, ())
        while (line := self._kept(target)) is not None:
            try:
                return await self._ask(target, line, request)
            except ConnectionError:
                continue  # it was closed while nobody used it
        return await self._ask(target, await Connection.open(target.host, target.port, target.tls), request)

    def only(self, targets: Set[Target]) -> None:
        """Let go of the idle lines to all others."""
        for gone in self._idle.keys() - targets:
            for line in self._idle.pop(gone):
                line.close()
                self._count -= 1

    def _kept(self, target: Target) -> Connection | None:
        lines = self._idle.get(target)
        if not lines:
            return None
        self._count -= 1
        return lines.pop()

    async def _ask(self, target: Target, line: Connection, request: bytes) -> Answer:
        kept = False
        try:
            answer = await line.ask(request)
            if not line.closed and self._count < KEPT:
                self._idle[target].append(line)
                self._count += 1
                kept = True
            return answer
        finally:
            if not kept:  # also when the question is called off: what it is answered would be taken for the next one's
                line.close()
