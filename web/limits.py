"""What a listening socket grants to whoever connects: the one place for these bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import environment


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one server. What is over one is refused with a status that says so, or closed where none can be said.

    | bound | what happens |
    | --- | --- |
    | `header_bytes`, `header_count` | 431, of a request line with its headers, and of trailers |
    | `header_seconds` | 408, from the first byte to the end of the headers; a handshake, or silence at first, is closed |
    | `body_bytes` | 413, before the body is read where its length is stated |
    | `body_seconds` | 408, from when somebody wants the body to its end |
    | `idle_seconds` | closed, between two requests |
    | `write_seconds` | aborted, when a slow reader takes nothing of what waits for it |
    | `connections`, `per_address` | 503 and closed, before a TLS handshake |
    | `pipelined` | 429, when more requests than that wait on one connection |
    | `linger_seconds`, `linger_bytes` | what still comes after a refusal is thrown away so long: the client reads it |
    """

    header_bytes: int = 32 * 1024
    header_count: int = 100
    header_seconds: float = 10.0
    body_bytes: int = 1 << 20
    body_seconds: float = 30.0
    idle_seconds: float = 60.0
    write_seconds: float = 30.0
    connections: int = 256
    per_address: int = 128
    linger_seconds: float = 2.0
    linger_bytes: int = 1 << 20
    pipelined: int = 100

    @property
    def look(self) -> float:
        """Seconds between two looks for connections whose time is over."""
        shortest = min(
            self.header_seconds, self.body_seconds, self.idle_seconds, self.write_seconds, self.linger_seconds
        )
        return min(1.0, shortest / 4)


def configured(**own: Any) -> Limits:
    """What the settings say (docs/settings.md, "Listening sockets"), with bounds that are a server's `own`."""
    return Limits(
        **{
            "header_bytes": environment.HEADER_BYTES.get(),
            "header_count": environment.HEADER_COUNT.get(),
            "header_seconds": environment.HEADER_SECONDS.get(),
            "body_seconds": environment.BODY_SECONDS.get(),
            "idle_seconds": environment.IDLE_SECONDS.get(),
            "write_seconds": environment.WRITE_SECONDS.get(),
            "connections": environment.CONNECTIONS.get(),
            "per_address": environment.ADDRESS_CONNECTIONS.get(),
        }
        | own
    )


PROBES = Limits(header_bytes=8192, body_bytes=0, connections=64, per_address=32)
"""For pages that probes and scrapers ask, seldom and few."""
