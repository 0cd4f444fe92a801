"""Connections that are kept from one question to the next, to many servers: a TLS handshake costs more than a small page."""

from __future__ import annotations

import ssl
from collections import defaultdict
from collections.abc import Mapping, Set

from client.wire import Answer, Connection

KEPT = 1000  # idle connections that are kept: each holds 64 KiB, and more where answers are long

Place = tuple[str, int, ssl.SSLContext | None]  # host, port, TLS


class Lines:
    """A server has as many lines as questions at once: kubelets one, the server of many nodes some. Use it in one loop."""

    def __init__(self, limit: int = 16 << 20) -> None:
        """`limit`: bytes of an answer."""
        self._limit = limit
        self._idle: defaultdict[Place, list[Connection]] = defaultdict(list)
        self._count = 0

    async def get(self, place: Place, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Status and body of a page. Raises one of `client.wire.FAILURES`."""
        host, port, tls = place
        shown = f"[{host}]" if ":" in host else host
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        request = f"GET {path} HTTP/1.1\r\nHost: {shown}:{port}\r\n{more}\r\n".encode("latin-1")
        while (line := self._kept(place)) is not None:
            try:
                return await self._ask(place, line, request)
            except ConnectionError:
                continue  # it was closed while nobody used it
        return await self._ask(place, await Connection.open(host, port, tls, limit=self._limit), request)

    def only(self, places: Set[Place]) -> None:
        """Let go of the idle lines to all others."""
        for gone in self._idle.keys() - places:
            for line in self._idle.pop(gone):
                line.close()
                self._count -= 1

    def _kept(self, place: Place) -> Connection | None:
        lines = self._idle.get(place)
        if not lines:
            return None
        self._count -= 1
        return lines.pop()

    async def _ask(self, place: Place, line: Connection, request: bytes) -> Answer:
        kept = False
        try:
            answer = await line.ask(request)
            if not line.closed and self._count < KEPT:
                self._idle[place].append(line)
                self._count += 1
                kept = True
            return answer
        finally:
            if not kept:  # also when the question is called off: its answer would be taken for the next one's
                line.close()
